#include "http/websocket/frame.hpp"

#include <openssl/evp.h>

#include <array>

namespace tare::http::detail {

std::string accept_key(std::string_view key) {
  constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  constexpr std::size_t key_characters = 24;  // 16 bytes in base64
  std::array<unsigned char, 18> decoded{};
  if (key.size() != key_characters || !key.ends_with("==") || key[key_characters - 3] == '=' ||
      EVP_DecodeBlock(decoded.data(), reinterpret_cast<const unsigned char*>(key.data()),
                      static_cast<int>(key.size())) != static_cast<int>(decoded.size())) {
    return {};
  }
  std::string joined(key);
  joined.append(guid);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned digest_bytes = 0;
  if (EVP_Digest(joined.data(), joined.size(), digest.data(), &digest_bytes, EVP_sha1(), nullptr) != 1) return {};
  std::array<unsigned char, std::size_t{2} * EVP_MAX_MD_SIZE> encoded{};
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest_bytes));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length)};
}

}  // namespace tare::http::detail
