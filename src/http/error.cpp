#include <tare/http/error.hpp>

#include <string>

namespace tare::http {

namespace {

class http_category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "http"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::malformed:
        return "malformed message";
      case errc::truncated:
        return "the connection ended in the middle of a message";
      case errc::head_too_large:
        return "the head of the message is too large";
      case errc::body_too_large:
        return "the body of the message is too large";
      case errc::too_slow:
        return "the peer was too slow";
      case errc::already_sent:
        return "the response has already been sent";
      case errc::wrong_length:
        return "the length of the body differs from the announced length";
      case errc::not_an_upgrade:
        return "not a WebSocket handshake";
      case errc::closed_by_peer:
        return "closed by the peer";
      case errc::bad_frame:
        return "the peer violates the WebSocket protocol";
      case errc::bad_text:
        return "text that is not UTF-8";
      case errc::message_too_large:
        return "the message is too large";
      case errc::bad_url:
        return "not a URL that this client can use";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() noexcept {
  static const http_category instance;
  return instance;
}

std::error_code make_error_code(errc error) noexcept { return {static_cast<int>(error), category()}; }

}  // namespace tare::http
