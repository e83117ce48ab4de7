// Our stores as Arrow's files, and Arrow's errors as ours. Arrow is used on one thread at a time
// and without its own threads, so that the same rows give the same bytes. Memory comes from malloc,
// which gives back what Arrow's own pools would keep.
#pragma once

#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <arrow/status.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "store/object_store.h"

namespace millrace::columnar {

// An object that Arrow reads in ranges. Keeps the store's own error, which says more than what
// Arrow makes of it.
class StoreFile final : public arrow::io::RandomAccessFile {
 public:
  StoreFile(store::ObjectStore& store, store::ObjectInfo object)
      : store_(store), object_(std::move(object)) {}

  arrow::Result<int64_t> GetSize() override { return static_cast<int64_t>(object_.size); }
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t bytes) override;
  arrow::Result<int64_t> Read(int64_t bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t bytes) override;
  arrow::Status Seek(int64_t position) override;
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Close() override;
  bool closed() const override { return closed_; }

  const std::optional<Error>& error() const { return error_; }

 private:
  arrow::Status keep(const Error& error);

  store::ObjectStore& store_;
  const store::ObjectInfo object_;
  int64_t position_ = 0;
  bool closed_ = false;
  std::optional<Error> error_;
};

// An object that Arrow writes. Closing it commits nothing.
class StoreSink final : public arrow::io::OutputStream {
 public:
  explicit StoreSink(store::ObjectWriter& out) : out_(out) {}

  arrow::Status Write(const void* data, int64_t bytes) override;
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Close() override;
  bool closed() const override { return closed_; }

  const std::optional<Error>& error() const { return error_; }

 private:
  store::ObjectWriter& out_;
  int64_t position_ = 0;
  bool closed_ = false;
  std::optional<Error> error_;
};

// Runs `work`, which may throw as Parquet's classes do. Its error is `kept` where the store has
// said one, else bad_input: what Arrow refuses is the object's fault (internal_error where memory
// ran out). `what` is what was being done, with what.
Status guarded(const std::string& what, const std::function<arrow::Status()>& work,
               const std::function<std::optional<Error>()>& kept);

}  // namespace millrace::columnar
