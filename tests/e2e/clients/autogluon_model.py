"""A model as AutoGluon packs it for SageMaker, with AutoGluon's own serving script. Arguments: the
folder to make, and the kind of target: binary, multiclass or regression."""
import pathlib
import shutil
import sys

import autogluon.cloud
import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor

folder, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
random = np.random.RandomState(7)
table = pd.DataFrame({"size": random.rand(200), "age": random.randint(0, 90, 200),
                      "colour": random.choice(["red", "green", "blue"], 200)})
target = table["size"] * 10 - table["age"] / 9 + (table["colour"] == "red")
table["target"] = {"binary": target > 0, "regression": target,
                   "multiclass": pd.cut(target, 3, labels=["low", "mid", "high"])}[kind]
TabularPredictor(label="target", problem_type=kind, path=str(folder), verbosity=0).fit(
    table, hyperparameters={"LR": {}, "KNN": {}}, num_cpus=1)
scripts = pathlib.Path(autogluon.cloud.__path__[0], "scripts", "sagemaker_scripts")
(folder / "code").mkdir()
shutil.copy(scripts / "tabular_serve.py", folder / "code")
