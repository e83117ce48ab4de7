// Finds the module beside the program (its RUNPATH says where), once.
#include "columnar/parquet_module.h"

#include <dlfcn.h>

#include <cstring>

namespace millrace::columnar {
namespace {

Error missing(const std::string& why) {
  return invalid_argument(
      "Parquet: this program was built without Apache Arrow, or its module is "
      "not beside it; run scripts/setup and build it again (" +
      why + ")");
}

Result<const ParquetModule*> load() {
  void* library = ::dlopen("libmillrace_parquet.so", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (library == nullptr) return fail(missing(::dlerror()));
  const auto* module = static_cast<const ParquetModule*>(::dlsym(library, kParquetModuleSymbol));
  if (module == nullptr || std::strcmp(module->version, MILLRACE_VERSION) != 0) {
    return fail(missing("libmillrace_parquet.so is of another version"));
  }
  return module;
}

const Result<const ParquetModule*>& parquet_module() {
  static const Result<const ParquetModule*> module = load();
  return module;
}

}  // namespace

Result<std::shared_ptr<const ParquetFile>> open_parquet(store::ObjectStore& store,
                                                        const store::ObjectInfo& object) {
  const auto& module = parquet_module();
  if (!module) return fail(module.error());
  return (*module)->open(store, object);
}

Result<std::unique_ptr<ParquetWriter>> make_parquet_writer(
    const std::shared_ptr<const ParquetFile>& first, uint32_t text_column,
    const ResultColumns& results, store::ObjectWriter& out) {
  const auto& module = parquet_module();
  if (!module) return fail(module.error());
  return (*module)->make_writer(first, text_column, results, out);
}

}  // namespace millrace::columnar
