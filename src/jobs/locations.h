// Where a job reads and writes: its --input and --output taken apart into a store and what of the
// store's keys is meant.
#pragma once

#include <string>

#include "base/result.h"
#include "store/object_store.h"

namespace millrace::jobs {

struct InputLocation {
  store::Location root;    // S3: the bucket; files: the folder that holds the inputs
  std::string prefix;      // key prefix below the root
  bool is_object = false;  // the prefix is one object's whole key (a local file)
};
Result<InputLocation> input_location(const std::string& text);

// The prefix of a manifest that lies at `manifest`. One in S3 may name objects in S3 only; the path
// of a local one may be relative to the folder in which it lies.
Result<InputLocation> manifest_location(const std::string& prefix, const InputLocation& manifest);

struct OutputLocation {
  store::Location root;
  std::string prefix;      // "" or "x/", or the one output's key
  bool is_object = false;  // write exactly this object
};
// `single_input`: the job has one input object, so that a name with an extension is the output.
Result<OutputLocation> output_location(const std::string& text, bool single_input);

// Refuses a job whose results would lie where its inputs are: the same folder, prefix or file.
// `output_text` is how the user wrote the output.
Status check_apart(const InputLocation& input, const OutputLocation& output,
                   const std::string& output_text);

// Refuses a job whose results would be among the inputs of its next run: the output lies inside the
// input, which is not one object.
Status check_not_read_again(const InputLocation& input, const OutputLocation& output,
                            const std::string& output_text);

}  // namespace millrace::jobs
