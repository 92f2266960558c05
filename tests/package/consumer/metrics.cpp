#include <tare/metrics.hpp>

#include <tare/tare.hpp>

#include <string>

int main() {
  tare::runtime rt;
  const tare::runtime_collector figures(rt);
  return tare::metrics_text({&figures}).find("tare_frame_bytes") == std::string::npos ? 1 : 0;
}
