#include <tare/http/admission.hpp>

#include <tare/memory_budget.hpp>

#include <memory>
#include <string>
#include <utility>

namespace tare::http {

namespace {

struct admission {
  handler inner;
  std::size_t request_bytes;
  std::string retry_after;
};

task<> refuse(response& answer, const std::string& retry_after) {
  answer.status(503).set("retry-after", retry_after);
  (void)co_await answer.send("text/plain", "busy: try again later\n");
}

task<> serve(memory_share share, task<> inner) {
  co_await std::move(inner);
  share.release();
}

}  // namespace

handler admitted(handler inner, std::size_t request_bytes, std::chrono::seconds retry_after) {
  auto kept = std::make_shared<const admission>(std::move(inner), request_bytes, std::to_string(retry_after.count()));
  return [kept = std::move(kept)](request& asked, response& answer) -> task<> {
    memory_share share = memory().try_admit(kept->request_bytes);
    if (!share) return refuse(answer, kept->retry_after);
    return serve(std::move(share), kept->inner(asked, answer));
  };
}

}  // namespace tare::http
