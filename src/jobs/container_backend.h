// A model in a container image: started with podman or docker, fed like any server that answers the
// container contract, and removed with all that was made for it.
#pragma once

#include "jobs/backends.h"

namespace millrace::jobs {

// Starts `settings.model_image` with the argument "serve", the artefact's folder (if any) read-only
// at /opt/ml/model, and waits until it is ready. Unless settings.model_network, it is alone in a
// network that leads nowhere but to this machine. invalid_argument: no engine, or no such image;
// else as make_http_handler. The container ends with the handler; when Millrace is killed, its
// supervisor removes it, and should that be killed too, the next call here does.
Result<LoadedHandler> load_container_handler(const ModelArtifact& artifact,
                                             const JobSettings& settings, const ModelHost& host,
                                             const CancelToken& cancel);

}  // namespace millrace::jobs
