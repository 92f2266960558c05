#include <tare/tracing.hpp>

int main() {
  const tare::tracer tracing({.service_name = "consumer"});
  return static_cast<int>(tracing.sent());
}
