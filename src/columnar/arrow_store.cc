// Each read of a range is one request to the store, which makes sure that it is the object that was
// listed.
#include "columnar/arrow_store.h"

#include <arrow/buffer.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

namespace millrace::columnar {

arrow::Status StoreFile::keep(const Error& error) {
  if (!error_) error_ = error;
  return arrow::Status::IOError(error.message);
}

arrow::Result<int64_t> StoreFile::ReadAt(int64_t position, int64_t bytes, void* out) {
  const auto size = static_cast<int64_t>(object_.size);
  if (position < 0 || bytes < 0 || position > size) {
    return arrow::Status::Invalid("a range outside of the object");
  }
  bytes = std::min(bytes, size - position);
  if (bytes == 0) return 0;
  auto reader = store_.open(object_, static_cast<uint64_t>(position), static_cast<uint64_t>(bytes));
  if (!reader) return keep(reader.error());
  int64_t done = 0;
  while (done < bytes) {
    const std::span<char> rest(static_cast<char*>(out) + done, static_cast<size_t>(bytes - done));
    const auto got = (*reader)->read(rest);
    if (!got) return keep(got.error());
    if (*got == 0) break;
    done += static_cast<int64_t>(*got);
  }
  return done;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> StoreFile::ReadAt(int64_t position, int64_t bytes) {
  // A damaged footer may ask for more than there is: what is allocated is what can be read.
  const auto size = static_cast<int64_t>(object_.size);
  if (position >= 0 && position <= size) bytes = std::min(bytes, size - position);
  if (bytes < 0) return arrow::Status::Invalid("a range outside of the object");
  ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(bytes));
  ARROW_ASSIGN_OR_RAISE(const int64_t got, ReadAt(position, bytes, buffer->mutable_data()));
  ARROW_RETURN_NOT_OK(buffer->Resize(got));
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

arrow::Result<int64_t> StoreFile::Read(int64_t bytes, void* out) {
  ARROW_ASSIGN_OR_RAISE(const int64_t got, ReadAt(position_, bytes, out));
  position_ += got;
  return got;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> StoreFile::Read(int64_t bytes) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, bytes));
  position_ += buffer->size();
  return buffer;
}

arrow::Status StoreFile::Seek(int64_t position) {
  if (position < 0) return arrow::Status::Invalid("a place before the object");
  position_ = position;
  return arrow::Status::OK();
}

arrow::Status StoreFile::Close() {
  closed_ = true;
  return arrow::Status::OK();
}

arrow::Status StoreSink::Write(const void* data, int64_t bytes) {
  const Status status = out_.append({static_cast<const char*>(data), static_cast<size_t>(bytes)});
  if (!status) {
    if (!error_) error_ = status.error();
    return arrow::Status::IOError(status.error().message);
  }
  position_ += bytes;
  return arrow::Status::OK();
}

arrow::Status StoreSink::Close() {
  closed_ = true;
  return arrow::Status::OK();
}

Status guarded(const std::string& what, const std::function<arrow::Status()>& work,
               const std::function<std::optional<Error>()>& kept) {
  std::string message;
  bool memory = false;
  try {
    const arrow::Status status = work();
    if (status.ok()) return {};
    message = status.message();
    memory = status.IsOutOfMemory();
  } catch (const std::bad_alloc&) {
    message = "no memory";
    memory = true;
  } catch (const std::exception& e) {
    message = e.what();
  }
  if (std::optional<Error> error = kept()) return fail(std::move(*error));
  Error error = memory ? internal_error(std::move(message)) : bad_input(std::move(message));
  return fail(std::move(error).within(what));
}

}  // namespace millrace::columnar
