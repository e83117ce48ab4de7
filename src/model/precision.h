// The arithmetic of the encoder's products.
#pragma once

namespace millrace::model {

enum class Precision { kFp32, kBf16, kInt8 };
const char* precision_name(Precision precision);

}  // namespace millrace::model
