// Millrace as a C++ library: link to millrace::millrace and include this. model.h classifies texts
// in the process; transform.h runs whole jobs over files or S3.
#pragma once

#include "millrace/model.h"      // IWYU pragma: export
#include "millrace/outcome.h"    // IWYU pragma: export
#include "millrace/transform.h"  // IWYU pragma: export
#include "millrace/version.h"    // IWYU pragma: export
