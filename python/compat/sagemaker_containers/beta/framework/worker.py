"""worker.Response: what output_fn returns in scripts for the older images."""


class Response:
    def __init__(self, response=None, status=200, headers=None, mimetype=None, content_type=None,
                 accept=None):
        self._body = b"" if response is None else response
        self.status_code = int(str(status).split()[0])
        self.headers = dict(headers or {})
        self.mimetype = mimetype or content_type or accept or "application/json"

    @property
    def response(self):
        return self._body

    def get_data(self, as_text=False):
        data = self._body
        if not isinstance(data, (str, bytes, bytearray)):
            data = b"".join(part.encode() if isinstance(part, str) else part for part in data)
        if as_text:
            return data if isinstance(data, str) else bytes(data).decode("utf-8")
        return data.encode("utf-8") if isinstance(data, str) else bytes(data)
