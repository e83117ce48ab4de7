// What a job's settings say of a model server, wherever it runs.
#pragma once

#include <functional>
#include <string_view>

#include "handler/http_handler.h"
#include "jobs/job_settings.h"

namespace millrace::jobs {

// All but the server's address.
handler::HttpHandlerOptions http_options(const JobSettings& settings,
                                         const std::function<void(std::string_view)>& notice);

}  // namespace millrace::jobs
