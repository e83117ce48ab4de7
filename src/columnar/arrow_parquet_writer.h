// make_parquet_writer() by Arrow.
#pragma once

#include "columnar/parquet_writer.h"

namespace millrace::columnar {

Result<std::unique_ptr<ParquetWriter>> make_arrow_writer(
    const std::shared_ptr<const ParquetFile>& first, uint32_t text_column,
    const ResultColumns& results, store::ObjectWriter& out);

}  // namespace millrace::columnar
