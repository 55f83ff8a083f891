"""The words in which curated statements are asked for and answered."""

from protscribe.atomic import sha256_json

VERSION = 1
"""Raised when the code that fills the templates (`phrases`, `sentences`) changes its output."""

QUESTIONS = {
    "function": (
        "What is the function of this protein?",
        "What does this protein do?",
        "What role does this protein play?",
        "Which function does this protein have?",
    ),
    "catalytic_activity": (
        "Which reaction does this protein catalyse?",
        "What reaction is catalysed by this protein?",
        "Which chemical reaction does this protein carry out as an enzyme?",
    ),
    "catalytic_activities": (
        "Which reactions does this protein catalyse?",
        "What reactions are catalysed by this protein?",
        "Which chemical reactions does this protein carry out as an enzyme?",
    ),
    "cofactor": (
        "Which cofactor does this protein have?",
        "What is the cofactor of this protein?",
        "Which cofactor is known for this protein?",
    ),
    "cofactors": (
        "Which cofactors does this protein have?",
        "What are the cofactors of this protein?",
        "Which cofactors are known for this protein?",
    ),
    "subcellular_location": (
        "Where is this protein located?",
        "What is the subcellular location of this protein?",
        "Where is this protein found?",
    ),
    "topology": (
        "What kind of membrane protein is this protein?",
        "How does this protein sit in the membrane?",
        "What type of membrane protein is this protein?",
    ),
    "pathway": (
        "Which pathway is this protein part of?",
        "In which metabolic pathway does this protein take part?",
        "What pathway does this protein belong to?",
    ),
    "family": (
        "Which protein family does this protein belong to?",
        "What family is this protein a member of?",
        "To which family does this protein belong?",
    ),
    "ec": (
        "What is the EC number of this protein?",
        "Which EC number describes the activity of this protein?",
        "Under which EC number is the activity of this protein classified?",
    ),
    "enzyme_class": (
        "Which class of enzymes does this protein belong to?",
        "What class of enzyme is this protein?",
        "To which main class of enzymes does this protein belong?",
    ),
    "features": (
        "Which domains does this protein contain?",
        "What domains is this protein made of?",
        "Which domains are found in this protein?",
    ),
    "ligands": (
        "Which ligands does this protein bind?",
        "What does this protein bind?",
        "What is known to bind to this protein?",
    ),
    "processes": (
        "Which biological processes is this protein involved in?",
        "In which biological processes does this protein take part?",
        "What biological processes does this protein contribute to?",
    ),
    "modifications": (
        "Which modifications does this protein carry?",
        "How is this protein modified after translation?",
        "Which post-translational modifications are found in this protein?",
    ),
}  # fmt: skip
"""Questions by what they ask for; which of them a protein gets depends on a hash."""

CATEGORY = {
    "function": "function", "catalytic_activity": "catalysis", "catalytic_activities": "catalysis",
    "cofactor": "cofactor", "cofactors": "cofactor", "subcellular_location": "location",
    "topology": "location", "pathway": "process", "family": "family", "ec": "catalysis",
    "enzyme_class": "catalysis", "features": "structure", "ligands": "interaction",
    "processes": "process", "modifications": "structure",
}  # fmt: skip
"""Category of each of `QUESTIONS`."""

ENZYME_CLASSES = {
    "1": "an oxidoreductase",
    "2": "a transferase",
    "3": "a hydrolase",
    "4": "a lyase",
    "5": "an isomerase",
    "6": "a ligase",
    "7": "a translocase",
}
"""The main classes of the Enzyme Commission, by the first number."""

LIGANDS = {
    "Actin-binding": "actin", "ATP-binding": "ATP", "Biotin": "biotin", "Calcium": "calcium",
    "Calmodulin-binding": "calmodulin", "cAMP-binding": "cAMP", "cGMP-binding": "cGMP",
    "Cobalt": "cobalt", "Copper": "copper", "DNA-binding": "DNA", "FAD": "FAD", "FMN": "FMN",
    "GTP-binding": "GTP", "Heme": "heme", "Heparin-binding": "heparin", "Iron": "iron",
    "Iron-sulfur": "an iron-sulfur cluster", "Lipid-binding": "lipids", "Magnesium": "magnesium",
    "Manganese": "manganese", "Molybdenum": "molybdenum", "NAD": "NAD", "NADP": "NADP",
    "Nickel": "nickel", "Pyridoxal phosphate": "pyridoxal phosphate", "RNA-binding": "RNA",
    "rRNA-binding": "rRNA", "S-adenosyl-L-methionine": "S-adenosyl-L-methionine",
    "Thiamine pyrophosphate": "thiamine pyrophosphate", "tRNA-binding": "tRNA", "Zinc": "zinc",
}  # fmt: skip
"""Keywords that name what a protein binds."""

PROCESSES = {
    "Adaptive immunity": "adaptive immunity", "Amino-acid biosynthesis": "amino-acid biosynthesis",
    "Angiogenesis": "angiogenesis", "Antiviral defense": "antiviral defence",
    "Apoptosis": "apoptosis", "Autophagy": "autophagy", "Biological rhythms": "biological rhythms",
    "Blood coagulation": "blood coagulation", "Carbohydrate metabolism": "carbohydrate metabolism",
    "Cell adhesion": "cell adhesion", "Cell cycle": "the cell cycle",
    "Cell division": "cell division", "Cell shape": "the control of cell shape",
    "Cell wall biogenesis/degradation": "cell wall biogenesis or degradation",
    "Chemotaxis": "chemotaxis", "Cholesterol metabolism": "cholesterol metabolism",
    "Differentiation": "cell differentiation", "DNA damage": "the response to DNA damage",
    "DNA recombination": "DNA recombination", "DNA repair": "DNA repair",
    "DNA replication": "DNA replication", "Electron transport": "electron transport",
    "Endocytosis": "endocytosis", "Exocytosis": "exocytosis",
    "Fatty acid biosynthesis": "fatty acid biosynthesis",
    "Fatty acid metabolism": "fatty acid metabolism", "Gluconeogenesis": "gluconeogenesis",
    "Glycolysis": "glycolysis", "Hemostasis": "haemostasis", "Immunity": "immunity",
    "Inflammatory response": "the inflammatory response", "Innate immunity": "innate immunity",
    "Ion transport": "ion transport", "Lipid biosynthesis": "lipid biosynthesis",
    "Lipid degradation": "lipid degradation", "Lipid metabolism": "lipid metabolism",
    "Lipid transport": "lipid transport", "Meiosis": "meiosis", "Mitosis": "mitosis",
    "mRNA processing": "mRNA processing", "mRNA splicing": "mRNA splicing",
    "mRNA transport": "mRNA transport", "Neurogenesis": "neurogenesis",
    "Nitrogen fixation": "nitrogen fixation", "Notch signaling pathway": "Notch signalling",
    "One-carbon metabolism": "one-carbon metabolism", "Oxygen transport": "oxygen transport",
    "Photosynthesis": "photosynthesis", "Protein biosynthesis": "protein biosynthesis",
    "Protein transport": "protein transport", "Respiratory chain": "the respiratory chain",
    "Ribosome biogenesis": "ribosome biogenesis", "RNA-mediated gene silencing":
    "RNA-mediated gene silencing", "rRNA processing": "rRNA processing",
    "Sensory transduction": "sensory transduction", "Spermatogenesis": "spermatogenesis",
    "Sporulation": "sporulation", "Steroid biosynthesis": "steroid biosynthesis",
    "Stress response": "the stress response", "Sugar transport": "sugar transport",
    "Transcription regulation": "the regulation of transcription",
    "Translation regulation": "the regulation of translation",
    "Tricarboxylic acid cycle": "the tricarboxylic acid cycle", "tRNA processing":
    "tRNA processing", "Ubl conjugation pathway": "the conjugation of ubiquitin-like proteins",
    "Vision": "vision", "Wnt signaling pathway": "Wnt signalling",
}  # fmt: skip
"""Keywords that name a process."""

MODIFICATIONS = {
    "Acetylation": "acetylation", "ADP-ribosylation": "ADP-ribosylation",
    "Amidation": "amidation", "Citrullination": "citrullination",
    "Disulfide bond": "disulfide bonds", "Glycoprotein": "glycosylation",
    "GPI-anchor": "a GPI-anchor", "Hydroxylation": "hydroxylation",
    "Methylation": "methylation", "Myristate": "myristoylation", "Palmitate": "palmitoylation",
    "Phosphoprotein": "phosphorylation", "Prenylation": "prenylation",
    "Pyrrolidone carboxylic acid": "pyrrolidone carboxylic acid",
    "S-nitrosylation": "S-nitrosylation", "Sulfation": "sulfation",
    "Ubl conjugation": "conjugation with ubiquitin or a ubiquitin-like protein",
}  # fmt: skip
"""Keywords that name a modification."""

_VERBS = """
    accelerates accepts acetylates activates adds affects allows antagonizes assembles assists
    attenuates binds blocks carries catalyzes causes cleaves confers constitutes contains controls
    converts coordinates couples deacetylates decreases degrades delivers dephosphorylates
    destabilizes deubiquitinates digests directs displays disrupts drives elicits encodes enhances
    ensures exhibits exports facilitates forms generates governs has hydrolyzes impairs imports
    increases induces influences inhibits initiates interferes is limits links localizes maintains
    mediates methylates modifies modulates opens orchestrates oxidizes phosphorylates
    polyubiquitinates possesses potentiates prevents processes produces promotes
    protects provides recognizes recruits reduces regulates releases removes repairs represses
    restricts senses separates shows slows stabilizes stimulates
    strengthens suppresses sustains synthesizes targets terminates transduces transfers
    translocates transports triggers ubiquitinates unwinds uses utilizes
"""
VERBS = frozenset(_VERBS.split())
"""Verbs with which a statement on a protein begins, its subject left out."""

ASKED_VERBS = VERBS - {
    *("allows", "causes", "couples", "contains", "constitutes", "displays", "exhibits", "forms"),
    *("has", "interferes", "is", "links", "localizes", "possesses", "shows", "encodes", "ensures"),
}
"""Those of which "What does this protein ...?" asks for the object."""

VERBS_WITH = {
    "acts": ("as", "on", "upon"),
    "associates": ("with",),
    "belongs": ("to",),
    "binds": ("to",),
    "contributes": ("to",),
    "cooperates": ("with",),
    "functions": ("as", "in"),
    "interacts": ("with",),
    "participates": ("in",),
    "serves": ("as",),
}
"""Verbs of which a question needs the preposition that follows, and which these are."""

OTHER_VERBS = frozenset({"competes", "does", "plays", "works"})
"""More verbs with which statements begin, and about which nothing more is asked."""

ADVERBS = frozenset(
    {
        *("also", "directly", "efficiently", "mainly", "negatively", "positively", "potently"),
        *("preferentially", "primarily", "probably", "reversibly", "selectively", "specifically"),
        *("strongly", "weakly", "partially", "possibly", "thereby", "further", "additionally"),
    }
)
"""Adverbs that may stand before the verb."""

ASKED_MODALS = ("can", "could", "may", "might")
MODALS = frozenset({*ASKED_MODALS, "must", "seems", "appears"})

PARTICIPLES = {
    "able to": "What is this protein able to do?",
    "active toward": "What is this protein active toward?",
    "capable of": "What is this protein capable of?",
    "essential for": "What is this protein essential for?",
    "implicated in": "What is this protein implicated in?",
    "important for": "What is this protein important for?",
    "indispensable for": "What is this protein indispensable for?",
    "involved in": "What is this protein involved in?",
    "necessary for": "What is this protein necessary for?",
    "part of": "What is this protein part of?",
    "required for": "What is this protein required for?",
    "responsible for": "What is this protein responsible for?",
}
"""Openings after which "This protein is" is missing, with their question."""

NOUNS = frozenset(
    {
        *("activator", "agonist", "antagonist", "blocker", "component", "constituent", "effector"),
        *("inducer", "inhibitor", "ligand", "mediator", "member", "modulator", "receptor"),
        *("regulator", "repressor", "sensor", "subunit", "substrate", "suppressor"),
    }
)
"""Nouns that open a statement, before "of" or "for"."""


def revision() -> str:
    """Return the SHA-256 of the templates: the revision of the writer ``template``."""
    return sha256_json(
        [
            VERSION, QUESTIONS, CATEGORY, ENZYME_CLASSES, LIGANDS, PROCESSES, MODIFICATIONS,
            sorted(VERBS), sorted(ASKED_VERBS), VERBS_WITH, sorted(OTHER_VERBS), sorted(ADVERBS),
            ASKED_MODALS, sorted(MODALS), PARTICIPLES,
            sorted(NOUNS),
        ]
    )  # fmt: skip
