// Message digests by name: SHA-256 and HMAC for signatures and identities, MD5 for S3's ETags,
// SHA-1 for the names of AWS's SSO cache files. The one place that knows OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace millrace {

using Sha256Digest = std::array<uint8_t, 32>;
using Md5Digest = std::array<uint8_t, 16>;

Sha256Digest sha256(std::string_view bytes);
Sha256Digest hmac_sha256(std::string_view key, std::string_view bytes);
Md5Digest md5(std::string_view bytes);
std::string sha1_hex(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);

// In a time that depends on the lengths alone, so that nobody learns a signature by guessing.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// With padding.
std::string base64(std::string_view bytes);

// Lower-case hexadecimal.
std::string hex(std::string_view bytes);
template <size_t N>
std::string hex(const std::array<uint8_t, N>& digest) {
  return hex(std::string_view(reinterpret_cast<const char*>(digest.data()), N));
}
template <size_t N>
std::string_view as_bytes(const std::array<uint8_t, N>& digest) {
  return {reinterpret_cast<const char*>(digest.data()), N};
}

// The SHA-256 of what arrives in pieces.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(std::string_view bytes);
  Sha256Digest finish();  // once

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
