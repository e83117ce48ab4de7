// InputFilter and OutputFilter: read and checked once the types of records and results are known.
#include <fmt/format.h>

#include "jobs/job_settings.h"
#include "record/csv_filter.h"

namespace millrace::jobs {
namespace {

using record::MediaType;

// A filter and what it is applied to.
struct Side {
  std::string_view member;
  std::string_view text;
  std::string_view type;  // the content type, or the type of results
  const char* type_flag;
};

Status check_type(const Side& side, const record::DataFormat& format) {
  const MediaType media = record::media_type(side.type);
  if (media != MediaType::kCsv && media != MediaType::kJson && media != MediaType::kJsonLines) {
    return fail(invalid_argument(
        fmt::format("{} needs text/csv, application/json or application/jsonlines, and {} is "
                    "'{}'",
                    side.member, side.type_flag, side.type)));
  }
  if (record::is_framed(format.split_type)) {
    return fail(invalid_argument(
        fmt::format("{}: records of RecordIO and TFRecord are not filtered", side.member)));
  }
  if (media == MediaType::kCsv && format.split_type == record::SplitType::kNone) {
    return fail(invalid_argument(
        fmt::format("{}: CSV is taken row by row, which needs --split-type Line", side.member)));
  }
  return {};
}

Result<record::JsonPath> read_path(const Side& side, const JobSettings& settings,
                                   const record::DataFormat& format) {
  const bool sagemaker = settings.json_path == record::JsonPathMode::kSageMaker;
  if (sagemaker) MR_TRY(record::check_sagemaker_path(side.member, side.text, side.type));
  MR_ASSIGN(record::JsonPath path, record::parse_json_path(side.text, settings.json_path));
  if (path.is_root()) return path;
  MR_TRY(check_type(side, format));
  if (record::media_type(side.type) == MediaType::kCsv) {
    MR_TRY(record::check_csv_path(path, format.csv.header && !sagemaker));
  }
  return path;
}

}  // namespace

Status take_filters(const JobSettings& settings, record::DataFormat* format) {
  const Side input = {"InputFilter", settings.input_filter, format->content_type,
                      "the content type"};
  MR_ASSIGN(format->input_filter, read_path(input, settings, *format));
  const Side output = {"OutputFilter", settings.output_filter, format->result_type(), "the accept"};
  MR_ASSIGN(format->output_filter, read_path(output, settings, *format));
  if (settings.generate_inference_id)
    MR_TRY(check_type({"GenerateInferenceId", "", format->result_type(), "the accept"}, *format));
  return {};
}

Status check_request_format(const JobSettings& settings) {
  MR_ASSIGN(const record::DataFormat format, infer_format(settings, {}));
  if (settings.json_path == record::JsonPathMode::kSageMaker) {
    MR_TRY(record::check_sagemaker_path("InputFilter", settings.input_filter, format.content_type));
    MR_TRY(
        record::check_sagemaker_path("OutputFilter", settings.output_filter, format.result_type()));
  }
  return check_format(format);
}

}  // namespace millrace::jobs
