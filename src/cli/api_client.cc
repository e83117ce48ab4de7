#include "cli/api_client.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/env.h"
#include "base/sigv4.h"
#include "store/aws_config.h"
#include "store/credential_chain.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

constexpr char kDefaultEndpoint[] = "http://127.0.0.1:8800";

// What there is without asking anybody on the network: only a service on AWS has instance
// credentials for its callers.
std::optional<store::Credentials> local_credentials(const store::AwsConfig& aws) {
  store::Credentials found;
  found.access_key = aws.env("AWS_ACCESS_KEY_ID");
  found.secret_key = aws.env("AWS_SECRET_ACCESS_KEY");
  found.session_token = aws.env("AWS_SESSION_TOKEN");
  if (found.access_key.empty() || aws.profile_from_option()) {
    found.access_key = aws.property("aws_access_key_id");
    found.secret_key = aws.property("aws_secret_access_key");
    found.session_token = aws.property("aws_session_token");
  }
  if (found.access_key.empty() || found.secret_key.empty()) return std::nullopt;
  return found;
}

}  // namespace

Result<ApiClient> ApiClient::open(const ApiClientOptions& options, const CancelToken& cancel) {
  store::S3Options aws_options;
  aws_options.profile = options.profile;
  aws_options.region = options.region;
  aws_options.cancel = cancel;
  MR_ASSIGN(const store::AwsConfig aws,
            store::AwsConfig::load(aws_options, map_env(options.environment)));
  ApiClient client;
  std::string endpoint = options.endpoint_url;
  if (endpoint.empty()) {
    MR_ASSIGN(const std::optional<Url> found, aws.endpoint("sagemaker"));
    endpoint = found ? found->text() : kDefaultEndpoint;
  }
  MR_ASSIGN(client.endpoint_, parse_endpoint_url(endpoint));
  client.region_ = aws.region();
  client.credentials_ = local_credentials(aws);
  client.http_ = std::make_shared<HttpClient>(HttpOptions{aws.ca_bundle()});
  return client;
}

Result<json> ApiClient::call(std::string_view service, const std::string& target,
                             const json& request, const CancelToken& cancel) {
  const std::string body = request.dump();
  HttpRequest http;
  http.method = "POST";
  http.headers = {{"X-Amz-Target", target}, {"Content-Type", "application/x-amz-json-1.1"}};
  http.body = body;
  return send(std::move(http), service, endpoint_.path.empty() ? "/" : endpoint_.path, cancel);
}

Result<json> ApiClient::rest(const std::string& method, const std::string& path,
                             const CancelToken& cancel) {
  HttpRequest http;
  http.method = method;
  return send(std::move(http), "sagemaker", endpoint_.path + path, cancel);
}

Result<json> ApiClient::send(HttpRequest request, std::string_view service, const std::string& path,
                             const CancelToken& cancel) {
  const std::string where = endpoint_.scheme + "://" + endpoint_.authority();
  request.url = where + path;
  if (credentials_) {
    const std::string time = format_compact_utc(real_clock().now());
    request.headers.emplace_back("Host", endpoint_.authority());
    request.headers.emplace_back("X-Amz-Date", time);
    if (!credentials_->session_token.empty()) {
      request.headers.emplace_back("X-Amz-Security-Token", credentials_->session_token);
    }
    const size_t mark = std::min(path.find('?'), path.size());
    const SigV4Request what{request.method, path.substr(0, mark),
                            mark < path.size() ? path.substr(mark + 1) : "", request.headers,
                            sha256_hex(request.body)};
    request.headers.emplace_back(
        "Authorization",
        sigv4_authorization(what, SigV4Path::kNormalized,
                            {credentials_->access_key, credentials_->secret_key}, time,
                            {time.substr(0, 8), region_, std::string(service)}));
  }
  const auto reply = http_->send(request, cancel);
  if (!reply) return fail(reply.error().within("the server at " + where));
  if (reply->body.empty() && reply->status < 300) return json();
  json body = json::parse(reply->body, nullptr, false);
  if (!body.is_object()) {
    return fail(internal_error("the server at " + where + " answered " +
                               std::to_string(reply->status) + " and no JSON: is it millrace?"));
  }
  if (reply->status < 300) return body;
  const std::string message = body.value("message", body.value("Message", ""));
  return fail(invalid_argument(body.value("__type", "error") + ": " + message));
}

}  // namespace millrace::cli
