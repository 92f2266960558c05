#include <tare/http/admission.hpp>

#include "http/exchange.hpp"

#include <tare/http/request.hpp>
#include <tare/http/response.hpp>

#include <memory>
#include <string>
#include <utility>

namespace tare::http {

class request_admission {
 public:
  request_admission(handler inner, std::size_t request_bytes, std::string retry_after)
      : inner_(std::move(inner)), request_bytes_(request_bytes), retry_after_(std::move(retry_after)) {}

  task<> handle(request& request, response& to) const {
    if (request.of().try_reserve_all(request_bytes_)) return inner_(request, to);
    return refuse(to);
  }

 private:
  task<> refuse(response& to) const {
    to.status(503).set("retry-after", retry_after_);
    (void)co_await to.send("text/plain", "busy: try again later\n");
  }

  handler inner_;
  std::size_t request_bytes_;
  std::string retry_after_;
};

handler admitted(handler inner, std::size_t request_bytes, std::chrono::seconds retry_after) {
  auto kept =
      std::make_shared<const request_admission>(std::move(inner), request_bytes, std::to_string(retry_after.count()));
  return [kept = std::move(kept)](request& request, response& to) { return kept->handle(request, to); };
}

}  // namespace tare::http
