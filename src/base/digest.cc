// OpenSSL's EVP behind plain functions. Its calls fail only when memory is out or the library was
// built without the algorithm, neither of which a caller can do anything about: MR_CHECK.
#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace millrace {
namespace {

// Looked up once: EVP_sha256() is looked up again, under a lock, in every call that takes it.
const EVP_MD* sha256_algorithm() {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  MR_CHECK(algorithm != nullptr);
  return algorithm;
}

template <size_t N>
std::array<uint8_t, N> digest(const EVP_MD* algorithm, std::string_view bytes) {
  std::array<uint8_t, N> out{};
  unsigned int size = 0;
  MR_CHECK(EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, algorithm, nullptr) == 1);
  MR_CHECK(size == N);
  return out;
}

}  // namespace

Sha256Digest sha256(std::string_view bytes) {
  return digest<32>(sha256_algorithm(), bytes);
}

Md5Digest md5(std::string_view bytes) {
  return digest<16>(EVP_md5(), bytes);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string base64(std::string_view bytes) {
  // What EVP_EncodeBlock counts with is an int; what is encoded here are names and keys.
  MR_CHECK(bytes.size() < (1U << 30));
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // it writes a final zero, too
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

std::string sha1_hex(std::string_view bytes) {
  return hex(digest<20>(EVP_sha1(), bytes));
}

std::string sha256_hex(std::string_view bytes) {
  return hex(sha256(bytes));
}

Sha256Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  Sha256Digest out{};
  unsigned int size = 0;
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  MR_CHECK(HMAC(sha256_algorithm(), key.data(), static_cast<int>(key.size()), data, bytes.size(),
                out.data(), &size) != nullptr);
  MR_CHECK(size == out.size());
  return out;
}

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  MR_CHECK(impl_->context != nullptr);
  MR_CHECK(EVP_DigestInit_ex(impl_->context, sha256_algorithm(), nullptr) == 1);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  MR_CHECK(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1);
}

Sha256Digest Sha256::finish() {
  Sha256Digest out{};
  unsigned int size = 0;
  MR_CHECK(EVP_DigestFinal_ex(impl_->context, out.data(), &size) == 1);
  MR_CHECK(size == out.size());
  return out;
}

}  // namespace millrace
