// A client of `millrace serve` for the program's own commands: signed requests, answers as JSON.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/http_client.h"
#include "base/result.h"
#include "base/uri.h"
#include "store/credentials.h"

namespace millrace::cli {

struct ApiClientOptions {
  std::string endpoint_url;  // "": AWS_ENDPOINT_URL_SAGEMAKER, else http://127.0.0.1:8800
  std::string profile, region;
  std::map<std::string, std::string> environment;
};

class ApiClient {
 public:
  // Credentials as the AWS CLI finds them; without any, requests go unsigned, for a server with
  // --no-auth. invalid_argument: the endpoint, the profile.
  static Result<ApiClient> open(const ApiClientOptions& options, const CancelToken& cancel);

  // An operation of a JSON 1.1 service: call("sagemaker", "SageMaker.ListTransformJobs", ...). What
  // the server refuses is invalid_argument with its code and words.
  Result<nlohmann::json> call(std::string_view service, const std::string& target,
                              const nlohmann::json& request, const CancelToken& cancel);
  // The REST surface; null where the answer has no body.
  Result<nlohmann::json> rest(const std::string& method, const std::string& path,
                              const CancelToken& cancel);

 private:
  Result<nlohmann::json> send(HttpRequest request, std::string_view service,
                              const std::string& path, const CancelToken& cancel);

  Url endpoint_;
  std::string region_;
  std::optional<store::Credentials> credentials_;
  std::shared_ptr<HttpClient> http_;
};

}  // namespace millrace::cli
