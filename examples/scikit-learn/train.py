"""Trains a small model on a few reviews and writes it beside its code: python train.py"""
import pathlib

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

REVIEWS = {
    "good": ["great app", "works great", "love it", "very useful and fast", "best game ever",
             "simple and good", "nice design, love the new look", "fast and useful"],
    "bad": ["crashes all the time", "bad update", "full of ads", "waste of money",
            "worst app, deletes photos", "slow and full of bugs", "bad support", "crashes again"],
}


def main():
    texts = [text for label in REVIEWS for text in REVIEWS[label]]
    labels = [label for label in REVIEWS for _ in REVIEWS[label]]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model.fit(texts, labels)
    joblib.dump(model, pathlib.Path(__file__).parent / "model.joblib")


if __name__ == "__main__":
    main()
