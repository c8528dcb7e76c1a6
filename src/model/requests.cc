#include "model/requests.h"

#include <fmt/format.h>

#include "model/json.h"
#include "model/names.h"
#include "model/scale_labels.h"

namespace faas {

Result<ScaleRequest> parse_scale_request(std::string_view text) {
  TRY_ASSIGN(const auto body, parse_json_object(text));
  const JsonFields fields(body);
  ScaleRequest request;
  TRY_ASSIGN(request.service_name, fields.text("serviceName"));
  TRY_ASSIGN(request.name_space, fields.text("namespace"));
  TRY_ASSIGN(const auto replicas, fields.count("replicas", kReplicasMax));
  // Reading an absent count as 0 would stop a function because of a typing error.
  if (!replicas) {
    return invalid_request(fmt::format("replicas is required: a whole number from 0 to {}", kReplicasMax));
  }
  request.replicas = *replicas;
  return request;
}

Result<DeleteRequest> parse_delete_request(std::string_view text) {
  TRY_ASSIGN(const auto body, parse_json_object(text));
  const JsonFields fields(body);
  DeleteRequest request;
  TRY_ASSIGN(request.function_name, fields.text("functionName"));
  TRY_ASSIGN(request.name_space, fields.text("namespace"));
  if (request.function_name.empty()) return invalid_request("functionName is required");
  if (!request.name_space.empty()) {
    TRY(check_name("namespace", request.name_space));
  }
  return request;
}

}  // namespace faas
