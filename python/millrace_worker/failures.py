"""Why a worker could not start, for the person who wrote the code."""
import traceback


def describe(error, code_folder):
    """The cause first, then the traceback."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
    return f"{cause(error, code_folder)}\n{text}"


def cause(error, code_folder):
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    if isinstance(error, SystemExit):
        return f"it called exit({error.code!r}) while it was loaded"
    where = last_line_of_user(error, code_folder)
    told = f"{where}{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        told += f" ({how_to_install(error.name.split('.')[0])})"
    if isinstance(error, OSError) and str(error.filename).startswith("/opt/ml/"):
        told += (" (AWS's images have the model in /opt/ml/model; here it lies where model_fn's "
                 "model_dir says)")
    return told


def how_to_install(name):
    if name == "sagemaker_inference":
        return "this Python has no sagemaker-inference package"
    return ("AWS's images bring many packages along, this Python does not: name it in "
            "code/requirements.txt, or give --image the URI of the AWS image, or --python the path "
            "of an environment that has it")


def last_line_of_user(error, code_folder):
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(code_folder):
            return f"{frame.filename}, line {frame.lineno}: "
    return ""
