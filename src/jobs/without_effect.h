// What of a CreateTransformJob or CreateModel request only matters on AWS.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace millrace::jobs {

// Those members that the request has, for one line in a log: "" or
// "TransformResources.InstanceType=ml.m5.large, ...".
std::string members_without_effect(const nlohmann::json& request);

}  // namespace millrace::jobs
