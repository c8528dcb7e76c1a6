// The objects of the system API as JSON Schema, for the OpenAPI document (spec gateway 6.2 to 6.4).
#pragma once

#include <string_view>

namespace faas::gateway {

/// By the names that rows use.
inline constexpr std::string_view kOpenapiSchemas = R"json({
"Texts": {"type": "object", "additionalProperties": {"type": "string"}},
"Resources": {"type": "object", "properties": {
  "memory": {"type": "string", "description": "128Mi, 1.5G, 128m"},
  "cpu": {"type": "string", "description": "0.5, 500m"},
  "nvidia.com/gpu": {"type": "string"}, "amd.com/gpu": {"type": "string"}, "intel.com/gpu": {"type": "string"}}},
"Deployment": {"type": "object", "properties": {
  "image": {"type": "string", "maxLength": 1024},
  "namespace": {"type": "string", "maxLength": 63, "default": "openfaas-fn"},
  "envProcess": {"type": "string"},
  "envVars": {"$ref": "#/components/schemas/Texts"},
  "constraints": {"type": "array", "items": {"type": "string"}},
  "secrets": {"type": "array", "items": {"type": "string"}},
  "labels": {"$ref": "#/components/schemas/Texts"},
  "annotations": {"$ref": "#/components/schemas/Texts"},
  "limits": {"$ref": "#/components/schemas/Resources"},
  "requests": {"$ref": "#/components/schemas/Resources"},
  "readOnlyRootFilesystem": {"type": "boolean"}}},
"FunctionDeployment": {"allOf": [{"$ref": "#/components/schemas/Deployment"}],
  "type": "object", "required": ["service", "image"],
  "properties": {"service": {"type": "string", "minLength": 1, "maxLength": 63}}},
"Condition": {"type": "object", "required": ["type", "status", "reason", "message"], "properties": {
  "type": {"type": "string", "description": "Ready, LastFailure, LimitsEnforced, SecretsMounted"},
  "status": {"enum": ["True", "False"]},
  "reason": {"type": "string", "description": "one word, for programs"},
  "message": {"type": "string", "description": "a sentence, for people"}}},
"FunctionStatus": {"allOf": [{"$ref": "#/components/schemas/Deployment"}],
  "type": "object", "required": ["name", "namespace", "image", "createdAt"], "properties": {
  "name": {"type": "string"},
  "invocationCount": {"type": "number", "description": "absent when 0"},
  "replicas": {"type": "integer", "minimum": 0, "description": "wanted; absent when 0"},
  "availableReplicas": {"type": "integer", "minimum": 0, "description": "ready; absent when 0"},
  "createdAt": {"type": "string", "format": "date-time"},
  "conditions": {"type": "array", "items": {"$ref": "#/components/schemas/Condition"}}}},
"DeleteFunctionRequest": {"type": "object", "required": ["functionName"], "properties": {
  "functionName": {"type": "string"}, "namespace": {"type": "string"}}},
"ScaleRequest": {"type": "object", "required": ["replicas"], "properties": {
  "serviceName": {"type": "string", "description": "the path's name is the one that counts"},
  "replicas": {"type": "integer", "minimum": 0, "maximum": 10000},
  "namespace": {"type": "string"}}},
"LogLine": {"type": "object", "required": ["name", "namespace", "instance", "timestamp", "text"], "properties": {
  "name": {"type": "string"}, "namespace": {"type": "string"},
  "instance": {"type": "string", "description": "the replica"},
  "timestamp": {"type": "string", "format": "date-time"},
  "text": {"type": "string"}}},
"SecretName": {"type": "object", "required": ["name"], "properties": {
  "name": {"type": "string", "maxLength": 253}, "namespace": {"type": "string"}}},
"Secret": {"type": "object", "required": ["name"], "properties": {
  "name": {"type": "string", "maxLength": 253}, "namespace": {"type": "string"},
  "value": {"type": "string"},
  "rawValue": {"type": "string", "contentEncoding": "base64", "description": "preferred to value"}}},
"Namespace": {"type": "object", "required": ["name"], "properties": {
  "name": {"type": "string", "maxLength": 63},
  "labels": {"$ref": "#/components/schemas/Texts"},
  "annotations": {"$ref": "#/components/schemas/Texts"}}},
"Version": {"type": "object", "required": ["sha", "release"], "properties": {
  "sha": {"type": "string"}, "release": {"type": "string"}, "commit_message": {"type": "string"}}},
"Info": {"type": "object", "required": ["provider", "version", "arch"], "properties": {
  "provider": {"type": "object", "required": ["provider", "version", "orchestration"], "properties": {
    "provider": {"type": "string"}, "orchestration": {"type": "string"},
    "version": {"$ref": "#/components/schemas/Version"}}},
  "version": {"$ref": "#/components/schemas/Version"},
  "arch": {"type": "string"}}}
})json";

/// What rows call their query parameters.
inline constexpr std::string_view kOpenapiParameters = R"json({
"namespace": {"name": "namespace", "in": "query", "schema": {"type": "string"},
  "description": "empty: the default one, openfaas-fn"},
"name": {"name": "name", "in": "query", "required": true, "schema": {"type": "string"},
  "description": "NAME or NAME.NAMESPACE"},
"instance": {"name": "instance", "in": "query", "schema": {"type": "string"},
  "description": "lines of this replica only"},
"tail": {"name": "tail", "in": "query", "schema": {"type": "integer"},
  "description": "only so many of the lines there are, the last ones; 0 or less: all"},
"since": {"name": "since", "in": "query", "schema": {"type": "string", "format": "date-time"},
  "description": "only lines that were printed then or later"},
"follow": {"name": "follow", "in": "query", "schema": {"type": "boolean"},
  "description": "and those that come, until the client goes"},
"wait": {"name": "wait", "in": "query", "schema": {"type": "string"},
  "description": "answer when the change has come true, at most after this duration (30s; up to 10m)"}
})json";

}  // namespace faas::gateway
