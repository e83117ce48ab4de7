// Which credentials are found, where they come from, and what is said when there are none.
#include "store/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/digest.h"
#include "base/http_imposter.h"
#include "store/aws_config.h"
#include "store/credential_chain.h"
#include "store/credential_json.h"
#include "store/credential_process.h"
#include "store/test_folder.h"

namespace millrace::store {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using Request = HttpImposter::Request;
using Reply = HttpImposter::Reply;

class SetClock final : public Clock {
 public:
  WallTime now() const override { return time; }
  bool sleep(std::chrono::milliseconds, const CancelToken&) override { return true; }
  WallTime time = *parse_iso8601("2026-11-22T12:00:00Z");
};

Reply reply_of(std::string body, int status = 200) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

constexpr char kStsReply[] =
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>role-key</AccessKeyId>"
    "<SecretAccessKey>role-secret</SecretAccessKey><SessionToken>role-token</SessionToken>"
    "<Expiration>2026-11-22T13:00:00Z</Expiration></Credentials></AssumeRoleResult>"
    "</AssumeRoleResponse>";
constexpr char kContainerReply[] =
    R"({"AccessKeyId":"c-key","SecretAccessKey":"c-secret","Token":"c-token",
        "Expiration":"2026-11-22T13:00:00Z"})";

class CredentialChain : public ::testing::Test {
 protected:
  CredentialChain() {
    variables = {{"HOME", home.path()},
                 {"AWS_EC2_METADATA_DISABLED", "true"},
                 {"AWS_ENDPOINT_URL_STS", server.url()},
                 {"AWS_ENDPOINT_URL_SSO", server.url()}};
  }

  Result<Credentials> find() {
    MR_ASSIGN(const AwsConfig config, AwsConfig::load(options, map_env(variables)));
    SourceContext context{std::make_shared<HttpClient>(), {}};
    context.retrying.clock = &clock;
    MR_ASSIGN(const CredentialsSource source, find_credentials(config, context));
    return source(CancelToken());
  }
  std::string found_key() {
    const auto credentials = find();
    return credentials ? credentials->access_key : "error: " + credentials.error().message;
  }

  TestFolder home;
  std::function<Reply(const Request&)> answer = [](const Request&) { return reply_of("", 404); };
  HttpImposter server{[this](const Request& request) { return answer(request); }};
  SetClock clock;
  S3Options options;
  std::map<std::string, std::string> variables;
};

TEST_F(CredentialChain, NoneAnywhereSaysWhereItLooked) {
  const auto credentials = find();
  ASSERT_FALSE(credentials);
  EXPECT_EQ(credentials.error().code, Code::kInvalidArgument);
  for (const char* place : {"AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "profile 'default'",
                            "/.aws/config", "/.aws/credentials", "AWS_EC2_METADATA_DISABLED"}) {
    EXPECT_THAT(credentials.error().message, HasSubstr(place));
  }
}

TEST_F(CredentialChain, EnvironmentKeysWinOverFilesButNotOverAProfileOption) {
  home.write(".aws/credentials",
             "[default]\naws_access_key_id = file\naws_secret_access_key = s\n"
             "[other]\naws_access_key_id = other\naws_secret_access_key = s\n");
  EXPECT_EQ(found_key(), "file");
  variables["AWS_PROFILE"] = "other";
  EXPECT_EQ(found_key(), "other");
  variables["AWS_ACCESS_KEY_ID"] = "env";
  EXPECT_THAT(found_key(), HasSubstr("AWS_SECRET_ACCESS_KEY is not"));
  variables["AWS_SECRET_ACCESS_KEY"] = "secret";
  variables["AWS_SESSION_TOKEN"] = "token";
  EXPECT_EQ(found_key(), "env");
  EXPECT_EQ(find()->session_token, "token");
  options.profile = "default";
  EXPECT_EQ(found_key(), "file");
}

TEST_F(CredentialChain, AProfileThatDoesNotExistIsNamed) {
  options.profile = "nobody";
  EXPECT_THAT(found_key(), HasSubstr("AWS profile 'nobody' is neither in"));
}

TEST_F(CredentialChain, TheCredentialsFileWinsOverTheConfigFileAsAPair) {
  home.write(".aws/config",
             "[default]\naws_access_key_id = config\naws_secret_access_key = s1\n"
             "aws_session_token = t1\nregion = eu-west-1\n");
  EXPECT_EQ(find()->session_token, "t1");
  home.write(".aws/credentials",
             "[default]\naws_access_key_id = file\naws_secret_access_key = s2\n");
  EXPECT_EQ(found_key(), "file");
  EXPECT_EQ(find()->secret_key, "s2");
  EXPECT_EQ(find()->session_token, "");
}

TEST_F(CredentialChain, HalfAPairIsAnError) {
  home.write(".aws/credentials", "[default]\naws_access_key_id = file\n");
  EXPECT_THAT(found_key(), HasSubstr("only one of"));
}

TEST_F(CredentialChain, CredentialProcess) {
  home.write(".aws/config",
             "[profile p]\ncredential_process = echo "
             "'{\"Version\":1,\"AccessKeyId\":\"p-key\",\"SecretAccessKey\":\"s\","
             "\"SessionToken\":\"t\",\"Expiration\":\"2026-11-22T13:00:00Z\"}'\n");
  variables["AWS_PROFILE"] = "p";
  EXPECT_EQ(found_key(), "p-key");
  EXPECT_EQ(find()->expires, parse_iso8601("2026-11-22T13:00:00Z"));
  home.write(".aws/config", "[profile p]\ncredential_process = exit 3\n");
  EXPECT_THAT(found_key(), HasSubstr("credential_process: exit status 3"));
}

TEST_F(CredentialChain, RoleWithASourceProfile) {
  home.write(".aws/config",
             "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n"
             "external_id = ex/1\nregion = eu-west-1\n"
             "[profile base]\naws_access_key_id = base\naws_secret_access_key = s\n");
  variables["AWS_PROFILE"] = "role";
  answer = [](const Request&) { return reply_of(kStsReply); };
  const auto credentials = find();
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_EQ(credentials->access_key, "role-key");
  EXPECT_EQ(credentials->session_token, "role-token");
  EXPECT_EQ(credentials->expires, parse_iso8601("2026-11-22T13:00:00Z"));
  const Request request = server.requests().at(0);
  EXPECT_EQ(request.body,
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&"
            "RoleSessionName=millrace&ExternalId=ex%2F1");
  EXPECT_THAT(request.header("authorization"),
              HasSubstr("Credential=base/20261122/eu-west-1/sts/aws4_request"));
}

TEST_F(CredentialChain, ARoleThatIsRefusedSaysSo) {
  home.write(".aws/config",
             "[default]\nrole_arn = arn:r\nsource_profile = default\n"
             "aws_access_key_id = base\naws_secret_access_key = s\n");
  answer = [](const Request&) {
    return reply_of(
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours</Message></Error>"
        "</ErrorResponse>",
        403);
  };
  EXPECT_THAT(found_key(), HasSubstr("AssumeRole of arn:r: 403 AccessDenied: not yours"));
}

TEST_F(CredentialChain, SourceProfilesInACircleAndOtherMistakes) {
  home.write(".aws/config",
             "[profile a]\nrole_arn = r\nsource_profile = b\n"
             "[profile b]\nrole_arn = r\nsource_profile = a\n"
             "[profile c]\nrole_arn = r\n[profile d]\nrole_arn = r\nsource_profile = nobody\n"
             "[profile e]\nrole_arn = r\ncredential_source = Nowhere\n"
             "[profile f]\nrole_arn = r\nsource_profile = default\nmfa_serial = m\n");
  const auto error_of = [this](const std::string& profile) {
    options.profile = profile;
    return found_key();
  };
  EXPECT_THAT(error_of("a"), HasSubstr("in a circle"));
  EXPECT_THAT(error_of("c"), HasSubstr("role_arn without"));
  EXPECT_THAT(error_of("d"), HasSubstr("'nobody' does not exist"));
  EXPECT_THAT(error_of("e"), HasSubstr("none of Environment"));
  EXPECT_THAT(error_of("f"), HasSubstr("MFA"));
}

TEST_F(CredentialChain, WebIdentityOfTheEnvironment) {
  home.write("token", "jwt.a+b\n");
  variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = home / "token";
  EXPECT_THAT(found_key(), HasSubstr("AWS_ROLE_ARN is not"));
  variables["AWS_ROLE_ARN"] = "arn:web";
  int calls = 0;
  answer = [&](const Request&) { return ++calls < 3 ? reply_of("", 503) : reply_of(kStsReply); };
  EXPECT_EQ(found_key(), "role-key");
  EXPECT_EQ(calls, 3);
  const Request request = server.requests().at(0);
  EXPECT_THAT(request.body, HasSubstr("Action=AssumeRoleWithWebIdentity"));
  EXPECT_THAT(request.body, HasSubstr("WebIdentityToken=jwt.a%2Bb"));
  EXPECT_EQ(request.header("authorization"), "");
  std::filesystem::remove(home / "token");
  EXPECT_THAT(found_key(), HasSubstr("token: No such file"));
}

TEST_F(CredentialChain, ContainerWithATokenFile) {
  home.write("auth", "secret-token\n");
  variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url() + "/creds?id=1";
  variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = home / "auth";
  answer = [](const Request& request) {
    return request.header("authorization") == "secret-token" && request.target == "/creds?id=1"
               ? reply_of(kContainerReply)
               : reply_of("no", 403);
  };
  EXPECT_EQ(found_key(), "c-key");
  EXPECT_EQ(find()->session_token, "c-token");
  variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://example.com/creds";
  EXPECT_THAT(found_key(), HasSubstr("neither https nor on this machine"));
}

TEST_F(CredentialChain, InstanceMetadataVersion2) {
  variables.erase("AWS_EC2_METADATA_DISABLED");
  variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server.url() + "/";
  answer = [](const Request& request) {
    if (request.method == "PUT" && request.target == "/latest/api/token") return reply_of("imds");
    if (request.header("x-aws-ec2-metadata-token") != "imds") return reply_of("", 401);
    const std::string roles = "/latest/meta-data/iam/security-credentials/";
    if (request.target == roles) return reply_of("my-role\n");
    return request.target == roles + "my-role" ? reply_of(kContainerReply) : reply_of("", 404);
  };
  EXPECT_EQ(found_key(), "c-key");
  answer = [](const Request&) { return reply_of("", 404); };
  EXPECT_THAT(found_key(), HasSubstr("no AWS credentials"));
}

TEST_F(CredentialChain, ACachedSsoToken) {
  home.write(".aws/config",
             "[profile sso]\nsso_session = corp\nsso_account_id = 123\nsso_role_name = Dev Ops\n"
             "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://x/start\n"
             "[profile old]\nsso_start_url = https://x/start\nsso_region = eu-west-1\n"
             "sso_account_id = 123\nsso_role_name = Dev Ops\n");
  options.profile = "sso";
  EXPECT_THAT(found_key(), HasSubstr("aws sso login --profile sso"));
  const auto write_token = [this](const std::string& name, const std::string& expires) {
    home.write(".aws/sso/cache/" + sha1_hex(name) + ".json",
               R"({"accessToken":"sso-token","expiresAt":")" + expires + "\"}");
  };
  write_token("corp", "2026-11-22T11:59:59Z");
  EXPECT_THAT(found_key(), HasSubstr("has expired; renew it with"));
  write_token("corp", "2026-11-22T12:30:00Z");
  write_token("https://x/start", "2026-11-22T12:30:00UTC");
  answer = [](const Request& request) {
    if (request.header("x-amz-sso_bearer_token") != "sso-token") return reply_of("", 401);
    if (request.target != "/federation/credentials?account_id=123&role_name=Dev%20Ops") {
      return reply_of("", 404);
    }
    return reply_of(
        R"({"roleCredentials":{"accessKeyId":"sso-key","secretAccessKey":"s",
            "sessionToken":"t","expiration":1795352400000}})");
  };
  EXPECT_EQ(found_key(), "sso-key");
  EXPECT_EQ(find()->expires, parse_iso8601("2026-11-22T13:00:00Z"));
  options.profile = "old";
  EXPECT_EQ(found_key(), "sso-key");
}

TEST(CredentialsCache, RefreshesBeforeTheyExpireAndKeepsValidOnesWhenThatFails) {
  SetClock clock;
  int fetched = 0;
  bool broken = false;
  CredentialsCache cache(
      [&](const CancelToken&) -> Result<Credentials> {
        ++fetched;
        if (broken) return fail(unavailable("STS is down"));
        return Credentials{"key-" + std::to_string(fetched), "s", "t", clock.time + seconds(3600)};
      },
      clock);
  EXPECT_EQ(cache.get(CancelToken())->access_key, "key-1");
  clock.time += seconds(3200);
  EXPECT_EQ(cache.get(CancelToken())->access_key, "key-1");
  clock.time += seconds(200);  // within five minutes of the end
  broken = true;
  EXPECT_EQ(cache.get(CancelToken())->access_key, "key-1");
  EXPECT_EQ(cache.get(CancelToken())->access_key, "key-1");
  EXPECT_EQ(fetched, 2);  // not asked again at once
  clock.time += seconds(300);
  EXPECT_EQ(cache.get(CancelToken()).error().message, "STS is down");
  broken = false;
  EXPECT_EQ(cache.get(CancelToken())->access_key, "key-4");
}

TEST(CredentialsCache, ForgetsOnlyWhatWasRejected) {
  SetClock clock;
  int fetched = 0;
  CredentialsCache cache(
      [&](const CancelToken&) -> Result<Credentials> {
        return Credentials{"key-" + std::to_string(++fetched), "s", "", std::nullopt};
      },
      clock);
  const Credentials first = *cache.get(CancelToken());
  cache.forget(first);
  EXPECT_EQ(cache.get(CancelToken())->access_key, "key-2");
  cache.forget(first);  // a slower thread complains of the old ones
  EXPECT_EQ(cache.get(CancelToken())->access_key, "key-2");
}

TEST(CredentialJson, RefusesWhatAreNoCredentials) {
  for (const char* text :
       {"", "[]", "null", "{}", "{\"AccessKeyId\":1,\"SecretAccessKey\":\"s\"}",
        "{\"Version\":2,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}",
        "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"m\"}"}) {
    const auto credentials = parse_credentials_json(text);
    ASSERT_FALSE(credentials) << text;
    EXPECT_EQ(credentials.error().code, Code::kInvalidArgument);
  }
}

TEST(CredentialJson, AnExpiryBeyondTheClockIsFarAwayNotInThePast) {
  const WallTime now = *parse_iso8601("2026-11-22T12:00:00Z");
  EXPECT_GT(parse_credentials_json(
                R"({"AccessKeyId":"a","SecretAccessKey":"s","Expiration":"9999-12-31T00:00:00Z"})")
                ->expires,
            now);
  EXPECT_GT(parse_sso_credentials_json(
                R"({"roleCredentials":{"accessKeyId":"a","secretAccessKey":"s",
                    "expiration":18446744073709551615}})")
                ->expires,
            now);
}

TEST(CredentialProcess, IsKilledWithWhatItStartedWhenItHangs) {
  const auto begin = std::chrono::steady_clock::now();
  const auto text = run_credential_process("sleep 60 & sleep 60; echo x",
                                           std::chrono::milliseconds(100), CancelToken());
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().message, "timed out");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(10));
  EXPECT_EQ(run_credential_process("cat; echo ok", seconds(10), CancelToken()).value(), "ok\n");
  EXPECT_THAT(run_credential_process("kill -9 $$", seconds(10), CancelToken()).error().message,
              HasSubstr("signal 9"));
}

class AwsConfigTest : public ::testing::Test {
 protected:
  AwsConfig load() { return *AwsConfig::load(options, map_env(variables)); }
  TestFolder home;
  S3Options options;
  std::map<std::string, std::string> variables{{"HOME", home.path()}};
};

TEST_F(AwsConfigTest, RegionByPrecedence) {
  EXPECT_EQ(load().region(), "us-east-1");
  home.write(".aws/config", "[default]\nregion = profile\n");
  EXPECT_EQ(load().region(), "profile");
  variables["AWS_DEFAULT_REGION"] = "default-env";
  EXPECT_EQ(load().region(), "default-env");
  variables["AWS_REGION"] = "env";
  EXPECT_EQ(load().region(), "env");
  options.region = "option";
  EXPECT_EQ(load().region(), "option");
}

TEST_F(AwsConfigTest, EndpointByPrecedence) {
  EXPECT_FALSE(load().endpoint("s3").value());
  home.write("config", "[default]\nendpoint_url = http://profile\n");
  variables["AWS_CONFIG_FILE"] = "~/config";
  EXPECT_EQ(load().endpoint("s3").value()->host, "profile");
  home.write("config",
             "[default]\nendpoint_url = http://profile\nservices = mine\n"
             "[services mine]\ns3 =\n  endpoint_url = http://services # ours\nsts =\n"
             "  endpoint_url = http://sts\n");
  EXPECT_EQ(load().endpoint("s3").value()->host, "services");
  EXPECT_EQ(load().endpoint("sts").value()->host, "sts");
  variables["AWS_ENDPOINT_URL"] = "http://all";
  EXPECT_EQ(load().endpoint("s3").value()->host, "all");
  variables["AWS_ENDPOINT_URL_S3"] = "http://s3";
  EXPECT_EQ(load().endpoint("s3").value()->host, "s3");
  variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  EXPECT_FALSE(load().endpoint("s3").value());
  options.endpoint_url = "http://option:9000";
  EXPECT_EQ(load().endpoint("s3").value()->authority(), "option:9000");
  EXPECT_FALSE(load().endpoint("sts").value());
  options.endpoint_url = "option:9000";
  EXPECT_EQ(load().endpoint("s3").error().code, Code::kInvalidArgument);
}

TEST(AwsFilesTest, SectionsCommentsAndNesting) {
  AwsFiles files;
  read_aws_config(
      "\xef\xbb\xbf[profile bom]\nx=0\n# comment\n; comment\n[default]\r\nKey = Value # not "
      "part\nurl=http://x#frag\n"
      "[profile \"a b\"]\nx=1\n[ignored]\nx=2\nno equals\n[profile c\nx=3\n[sso-session s]\ny=4\n",
      &files);
  EXPECT_EQ(files.profiles["bom"]["x"], "0");
  EXPECT_EQ(files.profiles["default"]["key"], "Value");
  EXPECT_EQ(files.profiles["default"]["url"], "http://x#frag");
  EXPECT_EQ(files.profiles["a b"]["x"], "1");
  EXPECT_EQ(files.profiles.count("ignored"), 0u);
  EXPECT_EQ(files.profiles.count("c"), 0u);
  EXPECT_EQ(files.sso_sessions["s"]["y"], "4");
}

TEST(AwsFilesTest, ProfileDefaultHidesDefault) {
  AwsFiles files;
  read_aws_config("[profile default]\nregion = a\n[default]\nregion = b\noutput = json\n", &files);
  EXPECT_EQ(files.profiles["default"]["region"], "a");
  EXPECT_EQ(files.profiles["default"].count("output"), 0u);
}

}  // namespace
}  // namespace millrace::store
