#include "server/xml_replies.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/uri.h"

namespace millrace::server {
namespace {

constexpr std::string_view kDeclaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (static_cast<unsigned char>(c) >= ' ' || c == '\n' || c == '\t') {
      out += c;
    }
  }
  return out;
}

struct CodeNames {
  std::string_view json, query;
};
constexpr std::array<CodeNames, 4> kQueryCodes = {{
    {"MissingAuthenticationTokenException", "MissingAuthenticationToken"},
    {"IncompleteSignatureException", "IncompleteSignature"},
    {"UnrecognizedClientException", "InvalidClientTokenId"},
    {"InvalidSignatureException", "SignatureDoesNotMatch"},
}};

ServerReply xml(int status, const std::string& body) {
  return {status, "text/xml", std::string(kDeclaration) + body, {}};
}

}  // namespace

std::string form_value(std::string_view body, std::string_view name) {
  while (!body.empty()) {
    const std::string_view pair = body.substr(0, body.find('&'));
    body.remove_prefix(std::min(pair.size() + 1, body.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) != name) continue;
    const auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    return value ? *value : std::string();
  }
  return {};
}

ServerReply query_reply(std::string_view action, std::string_view account,
                        const std::string& access_key, const std::string& request_id) {
  if (action == "GetCallerIdentity") {
    return xml(200, fmt::format("<GetCallerIdentityResponse "
                                "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
                                "<GetCallerIdentityResult>\n"
                                "<Arn>arn:aws:sts::{0}:assumed-role/millrace/{1}</Arn>\n"
                                "<UserId>{1}:millrace</UserId>\n"
                                "<Account>{0}</Account>\n"
                                "</GetCallerIdentityResult>\n"
                                "<ResponseMetadata><RequestId>{2}</RequestId></ResponseMetadata>\n"
                                "</GetCallerIdentityResponse>\n",
                                account, escaped(access_key), request_id));
  }
  if (action == "GetRole") {
    return query_error({403, "AccessDenied",
                        fmt::format("User: arn:aws:sts::{0}:assumed-role/millrace/{1} is not "
                                    "authorized to perform: iam:GetRole",
                                    account, access_key)},
                       request_id);
  }
  return query_error({400, "InvalidAction",
                      fmt::format("{} is not an action of this server. It has GetCallerIdentity of "
                                  "STS and GetRole of IAM, and the SageMaker API.",
                                  action)},
                     request_id);
}

ServerReply query_error(const ApiError& error, const std::string& request_id) {
  std::string_view code = error.code;
  for (const CodeNames& names : kQueryCodes) {
    if (names.json == code) code = names.query;
  }
  return xml(error.status, fmt::format("<ErrorResponse>\n<Error><Type>{}</Type><Code>{}</Code>"
                                       "<Message>{}</Message></Error>\n<RequestId>{}</RequestId>\n"
                                       "</ErrorResponse>\n",
                                       error.status < 500 ? "Sender" : "Receiver", escaped(code),
                                       escaped(error.message), request_id));
}

bool is_s3_request(const ServerRequest& request) {
  const std::string_view authorization = request.header("authorization");
  const size_t scope = authorization.find("Credential=");
  if (scope != std::string_view::npos) {
    const std::string_view credential =
        authorization.substr(scope, authorization.find(',', scope) - scope);
    return credential.find("/s3/") != std::string_view::npos;
  }
  return authorization.starts_with("AWS ") ||  // signature version 2
         request.query.find("%2Fs3%2F") != std::string::npos ||
         request.query.find("list-type=2") != std::string::npos ||
         request.header_count("x-amz-bucket-region") > 0;
}

ServerReply s3_reply(const ServerRequest& request, const std::string& request_id) {
  ServerReply reply{400, "application/xml", {}, {}};
  reply.headers.emplace_back("x-amz-request-id", request_id);
  if (request.method == "HEAD") return reply;
  reply.body = std::string(kDeclaration) +
               fmt::format(
                   "<Error><Code>InvalidRequest</Code><Message>This is Millrace's SageMaker "
                   "API, not an S3 server. Set the S3 client's own endpoint "
                   "(AWS_ENDPOINT_URL_S3); AWS_ENDPOINT_URL redirects S3, too."
                   "</Message><Resource>{}</Resource><RequestId>{}</RequestId></Error>\n",
                   escaped(request.path), request_id);
  return reply;
}

}  // namespace millrace::server
