#include "base/xxh3.h"

#include <xxhash.h>

#include <cstdint>
#include <cstdio>

#include "base/check.h"

namespace millrace {

struct Xxh3::State {
  XXH3_state_t* xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

Xxh3::Xxh3() : state_(std::make_unique<State>()) {
  MR_CHECK(state_->xxh != nullptr);
  XXH3_128bits_reset(state_->xxh);
}

Xxh3::~Xxh3() = default;

Xxh3& Xxh3::update(std::string_view bytes) {
  XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
  return *this;
}

Xxh3& Xxh3::field(std::string_view bytes) {
  uint64_t size = bytes.size();
  char prefix[8];
  for (char& c : prefix) {
    c = static_cast<char>(size & 0xFF);
    size >>= 8;
  }
  return update({prefix, sizeof prefix}).update(bytes);
}

std::string Xxh3::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

std::string xxh3_hex(std::string_view bytes) {
  return Xxh3().update(bytes).hex();
}

uint64_t xxh3_64(const void* bytes, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

}  // namespace millrace
