// Outputs that exist before a job begins: which are in its way, and which it may keep because they
// are what it would write. What an output was made of is in its stamp (WriteOptions::metadata).
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "store/object_store.h"
#include "transform/journal.h"
#include "transform/transform_job.h"

namespace millrace::transform {

// Which version of its input an output is made from: the object's ETag; of a merged output, a hash
// over all of the job's. "": nothing tells.
std::string input_version(const PlannedObject& planned);
std::string merged_input_version(const TransformJob& job);

// What decides an output's bytes: input version, settings, model and its numbers.
std::map<std::string, std::string> stamp_of(const TransformJob& job, const std::string& version,
                                            const std::string& identity);

// Looks for outputs that exist and decides by job->if_exists: marks the objects whose outputs are
// kept, and those that have an old errors file beside them. already_exists where one is in the way;
// the message says why. Outputs that this very job wrote, or may have, in an earlier run
// (`earlier`) are its own. `identity`: the handler's (HandlerTraits); "": nothing is ever kept.
Status settle_existing_outputs(TransformJob* job, store::ObjectStore& output,
                               const JournalState& earlier, const std::string& identity);

}  // namespace millrace::transform
