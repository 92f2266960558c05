#include "cli/plan.hpp"

#include "cli/error.hpp"
#include "cli/figures.hpp"
#include "cli/numbers.hpp"
#include "cli/output_file.hpp"
#include "cli/stop_request.hpp"
#include "cli/table.hpp"
#include "measure/plan/plan.hpp"
#include "measure/plan/weight_source.hpp"
#include "measure/weigh/summary.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tare::cli {
namespace {

struct plan_options {
  std::uint64_t memory = 0;
  double reserve_percent = 10;
  double weight = 0;
  std::optional<std::uint64_t> base;
  std::string from;
  measure::weight_choice which;
  std::vector<std::string> command;
  std::vector<std::uint64_t> counts{1, 10'000};
  double time_limit = 60;
  double sockets = 0;
  double kernel_bytes = measure::kernel_bytes_per_socket;
  double rate = 0;
  double rate_per_task = 0;
  double latency_ms = 0;
  double in_flight = 0;
  std::optional<double> responding;
  std::uint64_t buffer = 0;
  std::uint64_t waiting = 0;
  std::optional<std::uint64_t> descriptors;
  std::optional<std::uint64_t> predict;
  std::string json;
};

/// The limit that programs started by this process have.
std::uint64_t usual_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return 0;
  return limit.rlim_max;
}

base::result<measure::task_weight> weigh_now(const plan_options& options) {
  stop_request stop;
  const auto limit =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(options.time_limit));
  const measure::weighing what{.program = {options.command, {}}, .counts = options.counts, .time_limit = limit};
  const auto weighed = measure::weigh(what, stop.signal());
  if (weighed.failed) return std::unexpected(*weighed.failed);
  const auto weight = measure::slope_between(std::vector<measure::series>{weighed.samples}, options.counts.front(),
                                             options.counts.back());
  if (!weight) return base::input_error("--n needs two numbers of tasks");
  const auto& first = weighed.samples.front();
  const double tasks = weight->median * static_cast<double>(first.n);
  return measure::task_weight{.bytes = weight->median,
                              .base_bytes = std::max(0.0, static_cast<double>(first.held.resident) - tasks),
                              .source = fmt::format("'{}', weighed now", what.program.text())};
}

base::result<measure::task_weight> find_weight(const plan_options& options) {
  auto found = options.weight > 0      ? base::result<measure::task_weight>(measure::task_weight{
                                             .bytes = options.weight, .base_bytes = 0, .source = "--weight"})
               : !options.from.empty() ? measure::read_weight(options.from, options.which)
                                       : weigh_now(options);
  if (found && options.base) found->base_bytes = static_cast<double>(*options.base);
  return found;
}

std::string share(double bytes, double count) { return fmt::format("{:.0f} %", count > 0 ? bytes / count * 100 : 0); }

std::string memory_table(const measure::memory_shares& shares) {
  table rows({"memory for", "bytes", "share"}, 1);
  const std::pair<std::string_view, double> parts[] = {
      {"the program itself", shares.base},        {"tasks", shares.tasks},
      {"requests that wait", shares.waiting},     {"requests that are reading or responding", shares.buffers},
      {"sockets, in the kernel", shares.sockets}, {"page tables", shares.page_tables}};
  for (const auto& [name, bytes] : parts) {
    if (bytes >= 1)
      rows.add({std::string(name), megabytes(static_cast<std::uint64_t>(bytes)), share(bytes, shares.total())});
  }
  rows.add({"all", megabytes(static_cast<std::uint64_t>(shares.total())), ""});
  return rows.text();
}

std::string text_of(const measure::plan_request& request, const measure::plan_answer& result) {
  std::string text = fmt::format("{} tasks fit, limited by {}.\n", with_commas(result.tasks),
                                 result.limit == measure::limited_by::descriptors ? "file descriptors" : "memory");
  text += fmt::format("A task takes {} bytes ({}).\n\n", per_task(request.task.bytes), request.task.source);
  table limits({"limit", "allows"}, 1);
  limits.add({fmt::format("{} less {:.0f} %", megabytes(request.memory), request.reserve * 100),
              with_commas(result.by_memory) + " tasks"});
  if (result.by_descriptors) {
    limits.add({fmt::format("{} file descriptors", with_commas(request.descriptors)),
                with_commas(*result.by_descriptors) + " tasks"});
  }
  text += limits.text() + "\n" + memory_table(result.shares);
  if (result.in_flight > 0) {
    text += fmt::format("\nRequests in flight: {:.0f}", result.in_flight);
    text +=
        result.responding < result.in_flight ? fmt::format(", {:.0f} of them responding\n", result.responding) : "\n";
  }
  text += "\nTo enforce this:\n";
  text += fmt::format("  runtime_options::frame_limit = {};\n", result.frame_limit);
  if (result.buffer_budget > 0) text += fmt::format("  byte_budget in_flight({});\n", result.buffer_budget);
  if (request.sockets > 0) text += fmt::format("  ulimit -n {}\n", result.open_files);
  return text;
}

nlohmann::ordered_json json_of(const measure::memory_shares& shares) {
  return {{"base_bytes", shares.base},           {"task_bytes", shares.tasks},
          {"waiting_bytes", shares.waiting},     {"buffer_bytes", shares.buffers},
          {"socket_bytes", shares.sockets},      {"page_table_bytes", shares.page_tables},
          {"resident_bytes", shares.resident()}, {"total_bytes", shares.total()}};
}

std::string written(const nlohmann::ordered_json& all) {
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

nlohmann::ordered_json head_of(const measure::plan_request& request) {
  return {{"kind", "tare plan"},
          {"schema", 1},
          {"weight_bytes", request.task.bytes},
          {"base_bytes", request.task.base_bytes},
          {"source", request.task.source}};
}

std::string json_of(const measure::plan_request& request, std::uint64_t predicted,
                    const measure::memory_shares& shares) {
  nlohmann::ordered_json all = head_of(request);
  all.update({{"predicted_tasks", predicted}, {"memory", json_of(shares)}});
  return written(all);
}

std::string json_of(const measure::plan_request& request, const measure::plan_answer& result) {
  nlohmann::ordered_json all = head_of(request);
  all.update({{"tasks", result.tasks},
              {"limited_by", result.limit == measure::limited_by::descriptors ? "descriptors" : "memory"},
              {"tasks_by_memory", result.by_memory},
              {"tasks_by_descriptors",
               result.by_descriptors ? nlohmann::ordered_json(*result.by_descriptors) : nlohmann::ordered_json()},
              {"requests_in_flight", result.in_flight},
              {"requests_responding", result.responding},
              {"memory", json_of(result.shares)},
              {"settings",
               {{"frame_limit", result.frame_limit},
                {"buffer_budget", result.buffer_budget},
                {"open_files", result.open_files}}}});
  return written(all);
}

int run(const plan_options& options) {
  const int sources = (options.weight > 0 ? 1 : 0) + (options.from.empty() ? 0 : 1) + (options.command.empty() ? 0 : 1);
  if (sources != 1) {
    return complain(base::error{base::fault::input,
                                "plan needs the weight of a task: one of --weight, --from FILE, or a command after "
                                "--; see tare plan --help"});
  }
  if (!options.command.empty() && !measure::command{options.command, {}}.takes_count()) {
    return complain(base::error{base::fault::input, "the command has no {n} where the number of tasks goes"});
  }
  const auto weight = find_weight(options);
  if (!weight) return complain(weight.error());
  constexpr double percent = 100;
  constexpr double milli = 1000;
  const measure::plan_request request{.task = *weight,
                                      .memory = options.memory,
                                      .reserve = options.reserve_percent / percent,
                                      .sockets = options.sockets,
                                      .kernel_bytes = options.kernel_bytes,
                                      .rate = options.rate,
                                      .rate_per_task = options.rate_per_task,
                                      .latency = options.latency_ms / milli,
                                      .in_flight = options.in_flight,
                                      .max_responding = options.responding.value_or(measure::infinite),
                                      .buffer_bytes = static_cast<double>(options.buffer),
                                      .waiting_bytes = static_cast<double>(options.waiting),
                                      .descriptors = options.descriptors.value_or(usual_descriptors())};
  const auto result = measure::plan(request);
  if (!result) return complain(result.error());

  auto screen = output_file::standard_output();
  auto opened = output_file::open_if_named(options.json);
  if (!opened) return complain(opened.error());
  auto& json = *opened;
  int status = done;
  const auto write = [&](output_file& to, const std::string& text) {
    if (const auto written = to.write(text); !written) status = complain(written.error());
  };
  std::string text;
  std::string figures;
  if (options.predict) {
    const auto shares = measure::shares_at(request, static_cast<double>(*options.predict));
    text = fmt::format("{} tasks take {} of resident memory, {} with the kernel's.\n\n{}",
                       with_commas(*options.predict), megabytes(static_cast<std::uint64_t>(shares.resident())),
                       megabytes(static_cast<std::uint64_t>(shares.total())), memory_table(shares));
    figures = json_of(request, *options.predict, shares);
  } else {
    text = text_of(request, *result);
    figures = json_of(request, *result);
  }
  if (!json || !json->is_standard_output()) write(screen, text);
  if (json) write(*json, figures);
  return finish_output(status);
}

}  // namespace

std::function<int()> add_plan(CLI::App& app) {
  CLI::App* plan = app.add_subcommand("plan", "Compute how many tasks or connections fit on a machine");
  plan->footer(
      "Usage:  tare plan --memory SIZE --weight BYTES [OPTIONS]\n"
      "        tare plan --memory SIZE --from FILE [--program NAME] [--workload NAME] [OPTIONS]\n"
      "        tare plan --memory SIZE [OPTIONS] -- COMMAND... {n}\n\n"
      "FILE is the output of tare weigh --json or tare race. Sizes may end in K, M, G, which are powers of 1024.");
  auto options = std::make_shared<plan_options>();
  plan->add_option("--memory", options->memory, "Memory of the machine or the container")
      ->required()
      ->transform(CLI::AsSizeValue(false));
  plan->add_option("--reserve", options->reserve_percent, "The percentage of it to keep free")
      ->check(CLI::Range(0.0, 99.0))
      ->capture_default_str();
  plan->add_option("--weight", options->weight, "Bytes per task, as measured by tare weigh")
      ->check(CLI::PositiveNumber);
  plan->add_option("--base", options->base, "Bytes of the program without tasks [as measured, or 0]")
      ->transform(CLI::AsSizeValue(false));
  auto* from = plan->add_option("--from", options->from, "Take the weight from this results file");
  plan->add_option("--program", options->which.program, "The program in that file")->needs(from);
  plan->add_option("--workload", options->which.workload, "The workload of a race")->needs(from)->capture_default_str();
  plan->add_option("--n", options->counts, "The numbers of tasks with which to weigh the command")
      ->delimiter(',')
      ->check(a_count())
      ->allow_extra_args(false)
      ->capture_default_str();
  plan->add_option("--timeout", options->time_limit, "Seconds to wait for its READY")
      ->check(a_time_limit())
      ->capture_default_str();
  plan->add_option("--sockets", options->sockets, "Sockets per task; 1 for a connection")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  plan->add_option("--kernel-bytes", options->kernel_bytes, "Bytes that the kernel holds per idle socket")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  plan->add_option("--rate", options->rate, "Requests per second, in total")->check(CLI::NonNegativeNumber);
  plan->add_option("--rate-per-task", options->rate_per_task, "Requests per second and task")
      ->check(CLI::NonNegativeNumber);
  plan->add_option("--latency", options->latency_ms, "Milliseconds that a request takes")
      ->check(CLI::NonNegativeNumber);
  plan->add_option("--in-flight", options->in_flight, "Requests in flight [rate times latency]")
      ->check(CLI::NonNegativeNumber);
  plan->add_option("--responding", options->responding,
                   "The maximum number of them that hold a buffer while the others wait [all]")
      ->check(CLI::NonNegativeNumber);
  plan->add_option("--buffer", options->buffer, "Bytes per request that is reading its body or responding")
      ->transform(CLI::AsSizeValue(false));
  plan->add_option("--waiting", options->waiting, "Bytes per request that is waiting")
      ->transform(CLI::AsSizeValue(false));
  plan->add_option("--descriptors", options->descriptors,
                   "The number of files that the process may open [that of ulimit -Hn]");
  plan->add_option("--predict", options->predict, "Compute how much memory this many tasks take instead")
      ->check(a_count());
  plan->add_option("--json", options->json, "Write the result to this file; - is standard output");
  plan->add_option("command", options->command, "A program to weigh, and its arguments, after --");
  return [options] {
    std::ranges::sort(options->counts);
    return run(*options);
  };
}

}  // namespace tare::cli
