// From options, environment and profile files to a store that can be used.
#include <memory>
#include <utility>

#include "store/aws_config.h"
#include "store/credential_chain.h"
#include "store/s3_store.h"

namespace millrace::store {
namespace {

// Amazon's host name is made of the region; on other servers it is only signed.
Status check_region(const S3Address& address) {
  const std::string& region = address.region;
  const bool plain =
      region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == region.npos;
  if (address.endpoint || plain) return {};
  return fail(invalid_argument("'" + region + "' is no AWS region"));
}

}  // namespace

Result<S3StoreConfig> find_s3_config(const std::string& bucket, const S3Options& options,
                                     const Env& env) {
  MR_ASSIGN(const AwsConfig aws, AwsConfig::load(options, env));
  S3StoreConfig config;
  S3ClientOptions& client = config.client;
  client.cancel = options.cancel;
  client.http = std::make_shared<HttpClient>(HttpOptions{aws.ca_bundle()});
  client.address.bucket = bucket;
  client.address.region = aws.region();
  MR_ASSIGN(client.address.endpoint, aws.endpoint("s3"));
  MR_TRY(check_region(client.address));
  const SourceContext context{client.http, client.retrying};
  MR_ASSIGN(CredentialsSource source, find_credentials(aws, context));
  client.credentials =
      std::make_shared<CredentialsCache>(std::move(source), *client.retrying.clock);
  MR_TRY(client.credentials->get(options.cancel));
  return config;
}

}  // namespace millrace::store
