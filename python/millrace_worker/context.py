"""What the user's functions get as `context`: the names that the model server of AWS's images gives
it. One request at a time, so every index means the same request."""


class RequestProcessor:
    def __init__(self, headers):
        self._headers = headers
        self._status = 200
        self._phrase = None
        self._response_headers = {}

    def get_request_properties(self):
        return self._headers

    def get_request_property(self, key):
        value = self._headers.get(key)
        if value is not None:
            return value
        wanted = key.lower()
        return next((v for k, v in self._headers.items() if k.lower() == wanted), None)

    def report_status(self, code, reason_phrase=None):
        self._status = code
        self._phrase = reason_phrase

    def get_response_status_code(self):
        return self._status

    def get_response_status_phrase(self):
        return self._phrase

    def add_response_property(self, key, value):
        self._response_headers[key] = value

    def get_response_headers(self):
        return self._response_headers

    def get_response_header(self, key):
        return self._response_headers.get(key)


class Metrics:
    """Metrics have nowhere to go here; code that reports some must still run."""

    def __getattr__(self, name):
        if not name.startswith("add_"):
            raise AttributeError(name)
        return lambda *values, **named: None


class Context:
    manifest = {}
    metrics = Metrics()

    def __init__(self, properties, headers):
        self.model_name = "model"
        self.system_properties = properties
        self.request_processor = [RequestProcessor(headers)]
        self.request_ids = {0: ""}

    def get_request_id(self, idx=0):
        return self.request_ids.get(idx)

    def get_request_header(self, idx, key):
        return self.request_processor[idx].get_request_property(key)

    def get_all_request_header(self, idx):
        return self.request_processor[idx].get_request_properties()

    def set_response_content_type(self, idx, value):
        self.set_response_header(idx, "content-type", value)

    def get_response_content_type(self, idx):
        return self.request_processor[idx].get_response_header("content-type")

    def set_response_status(self, code=200, phrase="", idx=0):
        self.request_processor[idx].report_status(code, reason_phrase=phrase)

    def set_all_response_status(self, code=200, phrase=""):
        self.set_response_status(code, phrase)

    def get_response_status(self, idx):
        processor = self.request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()

    def set_response_header(self, idx, key, value):
        self.request_processor[idx].add_response_property(key, value)

    def get_response_headers(self, idx):
        return self.request_processor[idx].get_response_headers()
