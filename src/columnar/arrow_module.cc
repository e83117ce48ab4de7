// What libmillrace_parquet.so exports: one table.
#include "columnar/arrow_parquet_file.h"
#include "columnar/arrow_parquet_writer.h"
#include "columnar/parquet_module.h"

extern "C" __attribute__((visibility("default")))
const millrace::columnar::ParquetModule millrace_parquet_module = {
    MILLRACE_VERSION, &millrace::columnar::ArrowParquetFile::open,
    &millrace::columnar::make_arrow_writer};
