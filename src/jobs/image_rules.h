// Which handler serves a container image. There is nothing to pull here: AWS's own images stand for
// what they would do with an artefact, and other names mean what the operator says they mean.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "jobs/job_service.h"

namespace millrace::jobs {

struct ModelBinding {
  enum class Kind {
    kNative,     // the engine in this program, on the artefact (none: the shipped model)
    kPython,     // the artefact's inference.py
    kServer,     // a model server that runs already
    kContainer,  // the image itself, by podman or docker
  };
  Kind kind = Kind::kNative;
  std::string url;  // kServer
};

// The operator's word for the image, else what AWS's repository names tell: Hugging Face -> native,
// PyTorch, scikit-learn and XGBoost -> python. Any other image is run as a container where the
// operator allows that, else invalid_argument, with the way out.
Result<ModelBinding> bind_image(const std::string& image,
                                const std::map<std::string, std::string>& images,
                                bool run_others = false);

// What `--model` would say for the container; "": nothing.
Result<std::string> model_location(const ContainerRecord& container, const ModelBinding& binding);

}  // namespace millrace::jobs
