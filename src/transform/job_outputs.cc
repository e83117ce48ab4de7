// Before an output is committed the journal says whose it is; after it, from what it was made.
#include "transform/job_outputs.h"

#include <optional>
#include <utility>

#include "transform/compressed_writer.h"
#include "transform/existing_outputs.h"
#include "transform/part.h"

namespace millrace::transform {
namespace {

std::string output_content_type(const TransformJob& job) {
  const auto compressed = record::compression_media_type(job.output_form.compression);
  if (!compressed.empty()) return std::string(compressed);
  const record::DataFormat& format = job.format;
  if (is_parquet(format)) return "application/vnd.apache.parquet";
  if (!format.accept.empty()) return format.accept;
  const bool text = record::media_type(format.content_type) == record::MediaType::kText;
  return text ? "text/csv" : format.content_type;
}

}  // namespace

OutputPlace JobOutputs::place_of(const PlannedObject& planned) const {
  return {planned.output_key, input_version(planned), planned.stale_errors};
}

OutputPlace JobOutputs::merged_place() const {
  const bool stale_errors = !job_.objects.empty() && job_.objects.front().stale_errors;
  return {job_.output_form.merge_key, merged_input_version(job_), stale_errors};
}

Result<std::unique_ptr<store::ObjectWriter>> JobOutputs::create(const OutputPlace& place,
                                                                uint64_t expected_size) const {
  store::WriteOptions options = write_options(place.key);
  options.metadata = stamp_of(job_, place.input_version, traits_.identity);
  options.content_type = output_content_type(job_);
  options.expected_size = expected_size;
  MR_ASSIGN(auto writer, store_.create(place.key, options));
  return compressed(std::move(writer), job_.output_form.compression);
}

ErrorsFile JobOutputs::errors_of(const OutputPlace& place) const {
  return ErrorsFile([this, place] {
    store::WriteOptions options = write_options(place.key);
    options.content_type = "application/jsonlines";
    options.overwrite |= place.stale_errors;
    return store_.create(errors_key(place.key), options);
  });
}

store::WriteOptions JobOutputs::write_options(const std::string& key) const {
  store::WriteOptions options;
  options.overwrite = job_.may_replace() || is_ours(key);
  options.kms_key_id = job_.kms_key_id;
  options.journal = &area_.journal();
  return options;
}

// An output that an earlier run of this job may have committed is its own to replace.
bool JobOutputs::is_ours(const std::string& key) const {
  return area_.earlier().committing.contains(key);
}

Status JobOutputs::begin_commit(const std::string& key) const {
  if (cancel_.cancelled()) return fail(cancelled("stopped"));
  MR_TRY(area_.journal().output_committing(key, run_digest(job_)));
  // Should the power fail right after, the next run must know whose this output is.
  return job_.may_replace() ? Status() : area_.journal().sync();
}

Status JobOutputs::commit(const OutputPlace& place, store::ObjectWriter& writer,
                          ErrorsFile& errors) const {
  MR_TRY(begin_commit(place.key));
  MR_TRY(errors.commit());
  const bool may_be_stale = place.stale_errors || is_ours(place.key);
  if (errors.bytes() == 0 && may_be_stale) MR_TRY(remove_stale_errors(place.key));
  return writer.commit();
}

Status JobOutputs::remove_stale_errors(const std::string& key) const {
  Status removed = store_.remove(errors_key(key));
  if (removed || removed.error().code == Code::kNotFound) return {};
  return removed;
}

// What cannot be remembered is only done again by the next run: no reason to fail the object.
void JobOutputs::remember(CommittedOutput done, const store::ObjectWriter& writer) const {
  std::optional<store::ObjectInfo> output = writer.committed();
  if (!output) {
    Result<store::ObjectInfo> found = store_.stat(done.output_key);
    if (!found) return;
    output = std::move(*found);
  }
  done.run_digest = run_digest(job_);
  done.output_size = output->size;
  done.output_etag = output->etag;
  (void)area_.journal().output_committed(done);
}

}  // namespace millrace::transform
