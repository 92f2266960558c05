#include "net/tls/error.hpp"

#include <tare/net/tls.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <cerrno>
#include <string>

namespace tare::net::tls {

namespace {

class openssl_errors final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "tls"; }
  [[nodiscard]] std::string message(int error) const override {
    std::array<char, 256> text{};
    ::ERR_error_string_n(static_cast<unsigned>(error), text.data(), text.size());
    return text.data();
  }
  [[nodiscard]] std::error_condition default_error_condition(int error) const noexcept override {
    if (ERR_GET_REASON(static_cast<unsigned>(error)) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      return std::errc::connection_aborted;
    }
    return {error, *this};
  }
};

class certificate_errors final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "certificate"; }
  [[nodiscard]] std::string message(int error) const override { return ::X509_verify_cert_error_string(error); }
};

}  // namespace

const std::error_category& tls_category() noexcept {
  static const openssl_errors category;
  return category;
}

const std::error_category& certificate_category() noexcept {
  static const certificate_errors category;
  return category;
}

std::unexpected<std::error_code> error_of(unsigned long packed) noexcept {
  if (packed == 0) return std::unexpected(std::make_error_code(std::errc::connection_reset));
  if (ERR_SYSTEM_ERROR(packed)) {
    return std::unexpected(std::error_code(static_cast<int>(ERR_GET_REASON(packed)), std::generic_category()));
  }
  return std::unexpected(std::error_code(static_cast<int>(packed), tls_category()));
}

std::unexpected<std::error_code> openssl_error() noexcept {
  const unsigned long first = ::ERR_get_error();
  ::ERR_clear_error();
  return error_of(first);
}

}  // namespace tare::net::tls
