// The part of the program that knows Parquet is a module of its own, libmillrace_parquet.so, loaded
// when it is first needed. Not for its size: the libraries of the pyarrow wheel export symbols of
// other libraries (simdjson, OpenSSL) in other versions, and a program linked with them would call
// those instead of its own. Loaded with RTLD_LOCAL | RTLD_DEEPBIND, each side has its own.
#pragma once

#include <cstdint>
#include <memory>

#include "columnar/parquet_file.h"
#include "columnar/parquet_writer.h"

namespace millrace::columnar {

// What the module exports under the name kParquetModuleSymbol.
struct ParquetModule {
  const char* version;  // of Millrace: the two are built together
  Result<std::shared_ptr<const ParquetFile>> (*open)(store::ObjectStore& store,
                                                     const store::ObjectInfo& object);
  Result<std::unique_ptr<ParquetWriter>> (*make_writer)(
      const std::shared_ptr<const ParquetFile>& first, uint32_t text_column,
      const ResultColumns& results, store::ObjectWriter& out);
};
inline constexpr char kParquetModuleSymbol[] = "millrace_parquet_module";

}  // namespace millrace::columnar
