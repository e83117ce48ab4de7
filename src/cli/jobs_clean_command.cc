// `millrace jobs clean`: removes what jobs of `millrace transform` left on this machine.
#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/console.h"
#include "jobs/clean_work.h"
#include "jobs/work_place.h"

namespace millrace::cli {
namespace {

struct CleanArguments {
  std::string work_dir;
  std::string older_than;
  bool dry_run = false;
  store::S3Options s3;
};

// "90s", "30m", "12h", "7d".
std::optional<std::chrono::seconds> parse_age(const std::string& text) {
  if (text.empty()) return std::chrono::seconds(0);
  uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  if (code != std::errc() || stop + 1 != end) return std::nullopt;
  switch (*stop) {
    case 's':
      return std::chrono::seconds(number);
    case 'm':
      return std::chrono::minutes(number);
    case 'h':
      return std::chrono::hours(number);
    case 'd':
      return std::chrono::hours(24) * number;
    default:
      return std::nullopt;
  }
}

const char* word_for(const jobs::WorkAreaLeft& left, bool dry_run) {
  switch (left.state) {
    case jobs::WorkAreaLeft::State::kRunning:
      return "running";
    case jobs::WorkAreaLeft::State::kYoung:
      return "kept";
    case jobs::WorkAreaLeft::State::kRemoved:
      return dry_run ? "would remove" : "removed";
    case jobs::WorkAreaLeft::State::kFailed:
      break;
  }
  return "failed";
}

int run_clean(const CleanArguments& arguments, const Context& context) {
  jobs::CleanOptions options;
  options.dry_run = arguments.dry_run;
  const auto age = parse_age(arguments.older_than);
  if (!age) {
    return refuse(invalid_argument("--older-than: '" + arguments.older_than +
                                   "' is no time like 90s, 30m, 12h or 7d"));
  }
  options.older_than = *age;
  if (arguments.work_dir.starts_with("s3://")) {
    return refuse(invalid_argument(
        "--work-dir: must be a local folder; a work area in S3 goes when its job is completed, or "
        "by the bucket's own lifecycle rules"));
  }
  const auto work = jobs::work_location(arguments.work_dir, context.environment);
  if (!work) return refuse(work.error());
  options.work_dir = work->path;
  options.make_store =
      [&](const store::Location& root) -> Result<std::unique_ptr<store::ObjectStore>> {
    if (root.kind == store::Location::Kind::kFile) return store::make_file_store(root.path);
    return store::make_s3_store(root.bucket, arguments.s3);
  };
  bool all = true;
  const Status cleaned = jobs::clean_work(options, [&](const jobs::WorkAreaLeft& left) {
    put(fmt::format("{:<12} {} {:>12} {} {}\n", word_for(left, arguments.dry_run),
                    format_iso8601(left.last_written), left.bytes, left.job_name, left.outputs));
    if (left.problem.empty()) return;
    all = false;
    say(left.job_name + ": " + left.problem);
  });
  if (!cleaned) return refuse(cleaned.error());
  return all ? kExitOk : kExitFailed;
}

}  // namespace

void add_jobs_clean_command(CLI::App* jobs, const Context& context, Run* run) {
  CLI::App* command = jobs->add_subcommand(
      "clean",
      "Remove what jobs of `millrace transform` that failed, were stopped or killed left on this "
      "machine");
  command->footer(
      "Each work area that no process holds goes, with the uploads that its job began and never\n"
      "ended; committed outputs stay. Such a job then begins anew. A line for each area: what\n"
      "became of it, when it was last written to, its bytes, the job, where its outputs lie.");
  const auto arguments = std::make_shared<CleanArguments>();
  command
      ->add_option("--work-dir", arguments->work_dir,
                   "Where the jobs had their work areas (default: as `millrace transform` has it)")
      ->type_name("PATH");
  command
      ->add_option("--older-than", arguments->older_than,
                   "Only areas that nothing was written to for so long: 90s, 30m, 12h, 7d")
      ->type_name("TIME");
  command->add_flag("--dry-run", arguments->dry_run, "Only say what would be removed");
  command->add_option("--profile", arguments->s3.profile, "AWS profile, for uploads in S3")
      ->type_name("NAME");
  command->add_option("--region", arguments->s3.region, "AWS region")->type_name("NAME");
  command->add_option("--endpoint-url", arguments->s3.endpoint_url, "S3 endpoint")
      ->type_name("URL");
  command->callback(
      [=, &context] { *run = [=, &context] { return run_clean(*arguments, context); }; });
}

}  // namespace millrace::cli
