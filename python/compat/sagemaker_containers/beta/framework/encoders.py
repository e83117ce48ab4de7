"""Bytes to arrays and back, by AWS's present toolkit."""
from sagemaker_inference import decoder, encoder

decode = decoder.decode
encode = encoder.encode


def json_to_numpy(string_like, dtype=None):
    return decoder._json_to_numpy(string_like, dtype)


def csv_to_numpy(string_like, dtype=None):
    return decoder._csv_to_numpy(string_like, dtype)


def npy_to_numpy(npy_array):
    return decoder._npy_to_numpy(npy_array)


def array_to_json(array_like):
    return encoder._array_to_json(array_like)


def array_to_csv(array_like):
    return encoder._array_to_csv(array_like)


def array_to_npy(array_like):
    return encoder._array_to_npy(array_like)
