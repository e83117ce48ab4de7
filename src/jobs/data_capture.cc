#include "jobs/data_capture.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "jobs/backends.h"

namespace millrace::jobs {
namespace {

// How a folder or key prefix is written where objects lie in `root`.
std::string prefix_text(const store::Location& root, const std::string& prefix) {
  if (root.kind == store::Location::Kind::kS3) return "s3://" + root.bucket + "/" + prefix;
  return root.path + (root.path.ends_with('/') ? "" : "/") + prefix;
}

// The part of the prefix that ends at a '/', hence that all keys have and that names no object.
std::string folder_of(const std::string& prefix) {
  const size_t slash = prefix.rfind('/');
  return slash == std::string::npos ? "" : prefix.substr(0, slash + 1);
}

std::string manifest(const store::Location& root, const std::string& prefix,
                     const std::vector<std::string>& keys) {
  const std::string folder = folder_of(prefix);
  auto list = nlohmann::json::array();
  list.push_back(nlohmann::json::object({{"prefix", prefix_text(root, folder)}}));
  for (const std::string& key : keys) list.push_back(key.substr(folder.size()));
  // A key need not be UTF-8; what is not stands for itself nowhere in JSON.
  return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// "2022-08-30T00:49:15Z" -> "2022/08/30/00/"
std::string hour_folder(const std::string& started) {
  return started.substr(0, 4) + "/" + started.substr(5, 2) + "/" + started.substr(8, 2) + "/" +
         started.substr(11, 2) + "/";
}

Status write_object(store::ObjectStore& store, const std::string& key, const std::string& kms_key,
                    const std::string& bytes) {
  store::WriteOptions options;
  options.content_type = "application/json";
  options.kms_key_id = kms_key;
  MR_ASSIGN(const auto writer, store.create(key, options));
  MR_TRY(writer->append(bytes));
  return writer->commit();
}

}  // namespace

Status write_data_capture(const JobSettings& settings, const CancelToken& cancel,
                          const InputLocation& input, const OutputLocation& output,
                          const transform::TransformJob& job, const transform::JobReport& report) {
  if (settings.data_capture_destination.empty()) return {};
  if (report.status == transform::JobReport::Status::kStopped) return {};
  std::vector<std::string> inputs, outputs;
  for (size_t i = 0; i < job.objects.size(); ++i) {
    if (report.objects[i].output.empty()) continue;
    inputs.push_back(job.objects[i].input.key);
    outputs.push_back(job.objects[i].output_key);
  }
  if (outputs.empty()) return {};
  if (job.output_form.merges()) outputs = {job.output_form.merge_key};
  MR_ASSIGN(const OutputLocation destination,
            output_location(settings.data_capture_destination, false));
  MR_ASSIGN(const auto store, make_store(destination.root, settings, cancel));
  const std::string name = hour_folder(report.started) + job.name + ".json";
  const auto write = [&](const char* side, const std::string& bytes) {
    const std::string key = destination.prefix + side + "/" + name;
    Status status = write_object(*store, key, settings.data_capture_kms_key_id, bytes);
    return status ? status : fail(std::move(status).error().within("data capture"));
  };
  MR_TRY(write("input", manifest(input.root, input.prefix, inputs)));
  return write("output", manifest(output.root, output.prefix, outputs));
}

}  // namespace millrace::jobs
