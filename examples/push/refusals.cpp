#include "refusals.hpp"

#include <utility>

namespace push {

namespace http = tare::http;
using tare::task;

task<> respond_refusal(http::response& to, http::request_error why) {
  auto refusing = http::refuse(to, std::move(why));
  (void)co_await std::move(refusing);
}

task<> respond_refusal(application& app, http::response& to, refusal why) {
  if (why == refusal::unsendable) return respond_refusal(to, {.message = "the event cannot be sent"});
  const bool is_full = why == refusal::too_many_topics;
  app.measured.count_refusal(is_full ? "topics" : "memory");
  to.set("retry-after", "1");
  return respond_refusal(to, {.status = 503, .message = is_full ? "there are too many topics" : "there is no memory"});
}

}  // namespace push
