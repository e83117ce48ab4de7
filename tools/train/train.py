"""Trains models/sst2-small: a three-layer DistilBERT distilled from a six-layer MiniLM.

The student learns two things at once: the gold labels and its teacher's logits on SST-2 train,
and, for the language of reviews, the logits that the real DistilBERT (SST-2) published for app
reviews. Texts of one length form a batch, so little is spent on padding; a quarter of an hour on
two cores. The SST-2 dev set is never read here: `measure.py` does that for the finished model.
"""

import argparse
import copy
import os
import random
import time

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

import corpus
import emoji
import student as student_model


# Of the texts of SST-2, those that are read as people write ("don't") and not as it spells them
# ("do n't").
RESPELLED_SHARE = 0.15
AVERAGE_DECAY = 0.998  # what is exported is an average of the weights over some 500 steps


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", required=True, help="BertForSequenceClassification folder")
    parser.add_argument("--sst2", required=True, help="folder with GLUE's train.tsv")
    parser.add_argument("--golden", required=True, help="reviews with published labels, JSONL")
    parser.add_argument("--reviews", help="CSV with a column `content`: word frequencies only")
    parser.add_argument("--out", required=True, help="model folder to write")
    parser.add_argument("--cache", required=True, help="file for the teacher's logits")
    parser.add_argument("--vocabulary", type=int, default=9100)
    parser.add_argument("--hidden", type=int, default=1024, help="feed-forward neurons of a layer")
    parser.add_argument("--layers", default="0,2,5", help="the teacher's layers to start from")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--golden-repeat", type=int, default=2, help="times a review is seen")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def predict(model, ids, batch=128):
    """Logits of every id list, in order."""
    model.eval()
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    result = np.zeros((len(ids), 2), np.float32)
    with torch.inference_mode():
        for begin in range(0, len(order), batch):
            rows = order[begin:begin + batch]
            tokens, mask = pad([ids[i] for i in rows])
            result[rows] = model(input_ids=tokens, attention_mask=mask).logits.float().numpy()
    return result


def pad(rows):
    """Rows as one tensor, and the mask (None where all are equally long)."""
    longest = max(map(len, rows))
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    for i, row in enumerate(rows):
        tokens[i, :len(row)] = torch.tensor(row)
    if min(map(len, rows)) == longest:
        return tokens, None
    return tokens, torch.tensor([[1] * len(r) + [0] * (longest - len(r)) for r in rows])


def add_teacher_margins(teacher, tokenizer, examples, cache):
    """Sets every example's margin to the teacher's; the logits are kept in the file `cache`."""
    if os.path.exists(cache):
        margins = np.load(cache)
    else:
        started = time.time()
        ids = [e.ids for e in tokenizer.encode_batch([e.text for e in examples])]
        logits = predict(teacher, ids)
        margins = logits[:, 1] - logits[:, 0]
        np.save(cache, margins)
        print(f"teacher's logits of {len(ids)} texts: {time.time() - started:.0f} s", flush=True)
    if len(margins) != len(examples):
        raise SystemExit(f"{cache} holds {len(margins)} logits for {len(examples)} texts")
    for example, margin in zip(examples, margins):
        example.margin = float(margin)


class Epochs:
    """Turns the examples into each epoch's shuffled batches, with what is varied between them."""

    def __init__(self, tokenizer, sst2, golden, golden_repeat, seed):
        self.random = random.Random(seed)
        self.golden_repeat = golden_repeat
        self.vocabulary = tokenizer.get_vocab()
        self.sst2 = self._encode(tokenizer, sst2, [lambda t: t, corpus.as_people_write])
        # A text without a letter tells its label only where the labelling model knew its signs.
        words = [e for e in golden if any(c.isalpha() for c in e.text)]
        self.golden = self._encode(tokenizer, words, [lambda t: t])

    @staticmethod
    def _encode(tokenizer, examples, spellings):
        forms = [[e.ids for e in tokenizer.encode_batch([spell(x.text) for x in examples])]
                 for spell in spellings]
        return [([form[i][:512] for form in forms], e.margin, e.label)
                for i, e in enumerate(examples)]

    def _emoji_pieces(self, label):
        choice = self.random.choice(list(emoji.POSITIVE if label else emoji.NEGATIVE))
        attached = self.random.random() < 0.4
        first = self.vocabulary[("##" if attached else "") + choice]
        more = self.vocabulary["##" + choice]
        return [first] + [more] * self.random.choice([0, 0, 0, 1, 2])

    def _vary(self, ids, label, margin, drop):
        inner = ids[1:-1]
        if drop and len(inner) > 6:
            inner = [i for i in inner if self.random.random() > drop]
        if abs(margin) > 3 and (margin > 0) == bool(label) and self.random.random() < 0.06:
            inner = inner + self._emoji_pieces(label)
        return [ids[0]] + inner[:510] + [ids[-1]]

    def _spelling(self, forms):
        return forms[1] if self.random.random() < RESPELLED_SHARE else forms[0]

    def batches(self, size):
        rows = [(self._vary(self._spelling(forms), label, margin, 0.0), margin, label)
                for forms, margin, label in self.sst2]
        for turn in range(self.golden_repeat):
            rows += [(self._vary(forms[0], label, margin, 0.08 if turn else 0.0), margin, label)
                     for forms, margin, label in self.golden]
        ends = [self.vocabulary["[CLS]"]], [self.vocabulary["[SEP]"]]
        for label, signs in ((1, emoji.POSITIVE), (0, emoji.NEGATIVE)):
            for sign in signs:
                for count in (1, 2, 3):
                    pieces = [self.vocabulary[sign]] + [self.vocabulary["##" + sign]] * (count - 1)
                    rows.append((ends[0] + pieces + ends[1], 4.0 if label else -4.0, label))
        self.random.shuffle(rows)
        rows.sort(key=lambda row: len(row[0]))
        cut = [rows[i:i + size] for i in range(0, len(rows), size)]
        self.random.shuffle(cut)
        return cut


def update_average(average, model):
    with torch.no_grad():
        for kept, now in zip(average.parameters(), model.parameters()):
            kept.lerp_(now, 1 - AVERAGE_DECAY)


def train(model, average, epochs, arguments, report):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}],
        lr=arguments.rate, fused=True)
    plan = [epochs.batches(arguments.batch) for _ in range(arguments.epochs)]
    steps = sum(map(len, plan))
    rising = steps // 20
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / rising, (steps - s) / (steps - rising)))
    started, step = time.time(), 0
    for number, batches in enumerate(plan, 1):
        model.train()
        total = 0.0
        for batch in batches:
            tokens, mask = pad([row[0] for row in batch])
            margins = torch.tensor([row[1] for row in batch])
            labels = torch.tensor([row[2] for row in batch])
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(input_ids=tokens, attention_mask=mask).logits.float()
            wanted = torch.stack([-margins / 2, margins / 2], 1)
            loss = (torch.nn.functional.mse_loss(logits, wanted)
                    + torch.nn.functional.cross_entropy(logits, labels))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            update_average(average, model)
            total += loss.item()
            step += 1
            if step % 200 == 0:
                print(f"  step {step} of {steps}, {time.time() - started:.0f} s", flush=True)
        print(f"epoch {number}: loss {total / len(batches):.4f}, {report(average)}", flush=True)


def accuracy(model, tokenizer, examples):
    ids = [e.ids[:512] for e in tokenizer.encode_batch([e.text for e in examples])]
    predicted = predict(model, ids).argmax(1)
    return float(np.mean(predicted == np.array([e.label for e in examples])))


def main():
    arguments = parse_arguments()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    started = time.time()
    sst2, sst2_held = corpus.split_sst2(corpus.read_sst2(f"{arguments.sst2}/train.tsv"))
    golden, golden_held = corpus.read_golden(arguments.golden)
    print(f"SST-2: {len(sst2)} to learn, {len(sst2_held)} held out; "
          f"reviews: {len(golden)} to learn, {len(golden_held)} held out", flush=True)
    teacher = AutoModelForSequenceClassification.from_pretrained(
        arguments.teacher, dtype=torch.float32)
    teacher_tokenizer = Tokenizer.from_file(f"{arguments.teacher}/tokenizer.json")
    teacher_tokenizer.no_truncation()
    teacher_tokenizer.no_padding()
    add_teacher_margins(teacher, teacher_tokenizer, sst2, arguments.cache)

    sources = [(1.0, [e.text for e in sst2] + [corpus.as_people_write(e.text) for e in sst2]),
               (0.1, [e.text for e in golden])]
    if arguments.reviews:
        sources.append((0.1, [t for t, _ in corpus.read_review_csv(
            arguments.reviews, "content", "score")]))
    pieces = student_model.choose_pieces(teacher_tokenizer, sources, arguments.vocabulary)
    tokenizer = student_model.build_tokenizer(pieces)
    model = student_model.build_student(
        teacher, teacher_tokenizer.get_vocab(), pieces,
        [int(layer) for layer in arguments.layers.split(",")], arguments.hidden)
    average = copy.deepcopy(model).eval()

    def report(current):
        return (f"held-out SST-2 {accuracy(current, tokenizer, sst2_held):.4f}, "
                f"held-out reviews {accuracy(current, tokenizer, golden_held):.4f}")

    epochs = Epochs(tokenizer, sst2, golden, arguments.golden_repeat, arguments.seed)
    train(model, average, epochs, arguments, report)
    student_model.export(average, tokenizer, pieces, arguments.out)
    print(f"{arguments.out}: {sum(p.numel() for p in model.parameters())} parameters, "
          f"{time.time() - started:.0f} s")


if __name__ == "__main__":
    main()
