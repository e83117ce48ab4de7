// Numbers as Python prints them: a score must read the same as in the reply of the container that
// users come from.
#pragma once

#include <string>

namespace millrace::handler {

// repr(value): shortest digits that read back to the same double; fixed layout for
// 1e-4 <= |value| < 1e16, with at least ".0"; else an exponent of two digits or more.
// REQUIRES: value is finite.
void append_python_float(double value, std::string* out);

// round(value, digits): half to even on the exact binary value. REQUIRES: 0 <= digits <= 17,
// |value| < 1e20.
double python_round(double value, int digits);

}  // namespace millrace::handler
