"""Which organisms a text and its MeSH headings name, and whether a protein's is among them."""

from collections.abc import Collection, Iterable, Mapping

from protscribe.sources.literature.name_queries import organism_names
from protscribe.sources.literature.names import Text

COMMON_NAMES: dict[str, tuple[str, ...]] = {
    "homo sapiens": ("human", "humans", "patient", "patients", "women", "children"),
    "mus musculus": ("mouse", "mice", "murine"),
    "rattus norvegicus": ("rat", "rats"),
    "bos taurus": ("bovine", "cattle", "cow", "cows", "calf"),
    "sus scrofa": ("pig", "pigs", "porcine", "swine"),
    "ovis aries": ("sheep", "ovine"),
    "capra hircus": ("goat", "goats", "caprine"),
    "equus caballus": ("horse", "horses", "equine"),
    "oryctolagus cuniculus": ("rabbit", "rabbits"),
    "canis lupus": ("dog", "dogs", "canine", "canis familiaris"),
    "felis catus": ("cats", "feline"),
    "cavia porcellus": ("guinea pig", "guinea pigs"),
    "cricetulus griseus": ("chinese hamster", "chinese hamsters", "hamster", "hamsters"),
    "mesocricetus auratus": ("golden hamster", "syrian hamster", "hamster", "hamsters"),
    "macaca mulatta": ("rhesus", "rhesus monkey", "monkey", "monkeys"),
    "gallus gallus": ("chicken", "chickens", "chick", "chicks", "avian"),
    "xenopus laevis": ("xenopus", "african clawed frog"),
    "xenopus tropicalis": ("xenopus", "western clawed frog"),
    "danio rerio": ("zebrafish",),
    "drosophila melanogaster": ("drosophila", "fruit fly", "fruit flies"),
    "caenorhabditis elegans": ("nematode", "nematodes"),
    "bombyx mori": ("silkworm", "silkworms"),
    "strongylocentrotus purpuratus": ("sea urchin", "sea urchins"),
    "saccharomyces cerevisiae": ("yeast", "yeasts", "budding yeast", "baker's yeast"),
    "schizosaccharomyces pombe": ("yeast", "yeasts", "fission yeast"),
    "candida albicans": ("yeast", "yeasts"),
    "neurospora crassa": ("neurospora",),
    "dictyostelium discoideum": ("dictyostelium",),
    "plasmodium falciparum": ("malaria parasite",),
    "chlamydomonas reinhardtii": ("chlamydomonas",),
    "arabidopsis thaliana": ("arabidopsis",),
    "oryza sativa": ("rice", "oryza"),
    "zea mays": ("maize", "corn"),
    "triticum aestivum": ("wheat", "triticum"),
    "hordeum vulgare": ("barley", "hordeum"),
    "glycine max": ("soybean", "soybeans"),
    "pisum sativum": ("pea", "peas"),
    "spinacia oleracea": ("spinach",),
    "solanum lycopersicum": ("tomato", "tomatoes", "lycopersicon esculentum"),
    "solanum tuberosum": ("potato", "potatoes"),
    "nicotiana tabacum": ("tobacco", "nicotiana"),
    "escherichia coli": (),
    "bacillus subtilis": (),
    "mycobacterium tuberculosis": ("tubercle bacillus",),
    "salmonella typhimurium": ("salmonella enterica", "salmonella"),
    "salmonella enterica": ("salmonella typhimurium", "salmonella"),
    "pseudomonas aeruginosa": (),
    "staphylococcus aureus": (),
    "streptococcus pneumoniae": ("pneumococcus", "pneumococcal"),
    "thermus thermophilus": (),
}
"""What texts and MeSH headings call the usual organisms, besides their scientific names."""

CELL_LINES = {
    "homo sapiens": ("HeLa", "HEK293", "HEK293T", "Jurkat", "HepG2", "MCF-7", "U2OS", "K562"),
    "mus musculus": ("NIH3T3", "3T3-L1", "C2C12", "RAW 264.7"),
    "rattus norvegicus": ("PC12", "INS-1"),
}
"""Cell lines that stand for their organism."""

TOOLS = {
    "escherichia coli": ("expressed in escherichia coli", "expressed in e coli"),
    "saccharomyces cerevisiae": ("yeast two hybrid", "yeast 2 hybrid", "yeast extract"),
    "bos taurus": ("bovine serum albumin", "fetal bovine serum", "fetal calf serum"),
    "oryctolagus cuniculus": ("rabbit antiserum", "rabbit antibody", "rabbit antibodies"),
    "mus musculus": ("mouse monoclonal", "mouse antibody", "mouse antibodies"),
    "cricetulus griseus": ("chinese hamster ovary",),
    "xenopus laevis": ("xenopus oocytes", "xenopus laevis oocytes"),
    "ovis aries": ("sheep erythrocytes", "sheep red blood"),
    "drosophila melanogaster": ("drosophila s2",),
}
"""Phrases in which an organism is a tool: they do not tell that a text is about it."""

_GAPS = frozenset({"", " ", "-", ". ", ".", "'", "’"})


class Organisms:
    """The names of organisms, ready to be looked for.

    Parameters
    ----------
    organisms
        Organisms of the proteins, as UniProt writes them; those of `COMMON_NAMES` are always known.
    """

    def __init__(self, organisms: Iterable[str | None]) -> None:
        self._terms: dict[str, dict[tuple[str, ...], tuple[set[str], bool]]] = {}
        for scientific, common in COMMON_NAMES.items():
            self._add(scientific.capitalize(), own_names(scientific))
            for term in (*common, *CELL_LINES.get(scientific, ())):
                self._put(term, {scientific})
        for scientific, phrases in TOOLS.items():
            for phrase in phrases:
                self._put(phrase, {scientific}, is_tool=True)
        for organism in sorted({organism for organism in organisms if organism}):
            self._add(organism, own_names(organism))

    def match(
        self, organism: str | None, lineage: Iterable[str] | None, named: Mapping[str, bool]
    ) -> bool | None:
        """Return whether a text that names these organisms may be about a protein of that one.

        Parameters
        ----------
        organism, lineage
            Of the protein.
        named
            What `named` returns for the text.

        Returns
        -------
        bool or None
            True if the organism, or its genus alone, is among them. False if only others are.
            None if none is; also for viruses that are not named, since texts call them by names
            of their own and name the host too.
        """
        if not own_names(organism).isdisjoint(named):
            return True
        if all(named.values()) or "Viruses" in (lineage or ()):
            return None
        return False

    def named(self, texts: Iterable[Text]) -> dict[str, bool]:
        """Return the organisms and genera that texts name, and whether only as tools.

        Parameters
        ----------
        texts
            Title, abstract, and each MeSH heading. Of several terms at a place the longest counts.
        """
        found: dict[str, bool] = {}
        for text in texts:
            known = self._terms.keys() & text.places.keys()
            free = 0
            for index in sorted(index for key in known for index in text.places[key]):
                if index >= free:
                    length, names, is_tool = self._at(text, index)
                    free = index + length
                    for name in names:
                        found[name] = found.get(name, True) and is_tool
        return found

    def _add(self, organism: str, own: Collection[str]) -> None:
        genus = organism.split()[0].lower()
        names = set(own) - {genus} or set(own)
        for term in organism_names(organism):
            if term.lower() != genus:
                self._put(term, names)
        # A short genus (Pan, Bos) would be found in other words.
        if genus in own and len(genus) > 4:
            self._put(genus, {genus})

    def _put(self, term: str, names: set[str], *, is_tool: bool = False) -> None:
        keys = tuple(token.key for token in Text(term).tokens)
        if keys:
            terms = self._terms.setdefault(keys[0], {})
            terms[keys] = (terms.get(keys, (set(), is_tool))[0] | names, is_tool)

    def _at(self, text: Text, index: int) -> tuple[int, set[str], bool]:
        best: tuple[int, set[str], bool] = (1, set(), False)
        for keys, (names, is_tool) in self._terms.get(text.tokens[index].key, {}).items():
            last = index + len(keys) - 1
            if len(keys) >= best[0] and last < len(text.tokens):
                here = tuple(token.key for token in text.tokens[index : last + 1])
                gaps = (text.gap(i) for i in range(index, last))
                if here == keys and text.are_words(index, last) and _GAPS.issuperset(gaps):
                    best = (len(keys), names, is_tool)
        return best


def own_names(organism: str | None) -> frozenset[str]:
    """Return the keys of an organism: genus and species (or a virus's whole name), and genus.

    ``Escherichia coli (strain K12)`` gives ``escherichia coli`` and ``escherichia``.
    """
    scientific = (organism or "").partition("(")[0].strip().lower()
    words = scientific.split()
    if len(words) < 2 or any(part in scientific for part in ("virus", "phage", "viroid")):
        return frozenset({scientific} - {""})
    if words[1].rstrip(".") in ("sp", "spp"):
        return frozenset({words[0]})
    return frozenset({" ".join(words[:2]), words[0]})
