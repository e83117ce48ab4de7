// XXH3-128 (xxHash, BSD-2): names content in caches, plans and identities. Fast, not secret-proof:
// what it finds is compared in full wherever a wrong match could reach a result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace millrace {

// Streaming; the digest is 32 hex digits.
class Xxh3 {
 public:
  Xxh3();
  ~Xxh3();
  Xxh3& update(std::string_view bytes);
  // Adds a length-prefixed field, so that ("ab","c") and ("a","bc") differ.
  Xxh3& field(std::string_view bytes);
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string xxh3_hex(std::string_view bytes);

// XXH3-64: finds candidates in memory, where equal hashes are then compared in full.
uint64_t xxh3_64(const void* bytes, size_t size, uint64_t seed);

}  // namespace millrace
