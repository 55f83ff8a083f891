"""Conversations to train and test on, made from tables."""
