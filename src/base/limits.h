// Every limit of the program, with its reason. Nothing grows without bound because an input is
// large: what is in flight is bounded in bytes and in count by the figures here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::limits {

constexpr uint64_t kMiB = 1024 * 1024;

// --- Batch Transform's own (API reference, CreateTransformJob) ---

// MaxPayloadInMB when nobody sets it.
constexpr uint64_t kDefaultPayloadBytes = 6 * kMiB;
// MaxPayloadInMB at most; also the largest record we hold in memory when the payload is unlimited.
constexpr uint64_t kPayloadBytesMax = 100 * kMiB;

// --- the data path ---

// Bytes of an object that make one part, unless set. Small enough that a crash costs seconds, large
// enough that staging files and journal lines do not show.
constexpr uint64_t kDefaultPartBytes = 8 * kMiB;
// One read of an object. Large enough for a round trip to S3 to pay, small beside the payload.
constexpr size_t kReadBlockBytes = 1 * kMiB;
// Nesting of a JSON record. simdjson's default; deeper input is refused, never recursed into.
constexpr size_t kJsonDepthMax = 1024;
// Input that is being transformed at one time, over all feeders of a job.
constexpr uint64_t kInFlightBytesMax = 32 * kMiB;
// How much of a record an error message quotes.
constexpr size_t kErrorExcerptBytesMax = 120;

// --- the native model ---

// Rows that wait for packs. Enough to sort by length well; 4,096 short reviews are some 100 packs.
constexpr size_t kWindowRowsMax = 4096;
// Text in a window; bounds memory when records are long.
constexpr size_t kWindowBytesMax = 4 * kMiB;

// --- model artefacts ---

// What a model.tar.gz may unpack to: more than any text classifier, less than a bomb.
constexpr uint64_t kModelBytesMax = 16 * 1024 * kMiB;
constexpr uint64_t kModelEntriesMax = 100000;

// --- S3 ---

// AWS: an upload part has at least 5 MiB (but the last) and an upload at most 10,000 parts.
constexpr uint64_t kUploadPartBytesMin = 5 * kMiB;
constexpr uint32_t kUploadPartsMax = 10000;

}  // namespace millrace::limits
