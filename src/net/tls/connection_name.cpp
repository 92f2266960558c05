#include "net/tls/connection_name.hpp"

#include <memory>
#include <new>
#include <utility>

namespace tare::net::tls {

namespace {

int place_of_name() noexcept {
  static const int index =
      ::SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                             [](void* /*connection*/, void* name, CRYPTO_EX_DATA* /*all*/, int /*index*/,
                                long /*argument*/, void* /*pointer*/) { delete static_cast<std::string*>(name); });
  return index;
}

}  // namespace

void set_connection_name(SSL* connection, std::string name) {
  if (auto* const there = static_cast<std::string*>(::SSL_get_ex_data(connection, place_of_name()))) {
    *there = std::move(name);
    return;
  }
  auto made = std::make_unique<std::string>(std::move(name));
  if (::SSL_set_ex_data(connection, place_of_name(), made.get()) != 1) throw std::bad_alloc();
  (void)made.release();  // OpenSSL owns it now
}

const std::string& connection_name(const SSL* connection) noexcept {
  static const std::string none;
  const auto* const there = static_cast<const std::string*>(::SSL_get_ex_data(connection, place_of_name()));
  return there == nullptr ? none : *there;
}

}  // namespace tare::net::tls
