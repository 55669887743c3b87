#include "otlp_schema.h"

#include <stddef.h>

#define ONE(number, name, type) \
  { number, name, OTLP_##type, 0, NULL, 0 }
#define MUST(number, name, type) \
  { number, name, OTLP_##type, OTLP_REQUIRED, NULL, 0 }
#define ANY(number, name, type) \
  { number, name, OTLP_##type, OTLP_ONE_OF, NULL, 0 }
#define MANY(number, name, type) \
  { number, name, OTLP_##type, OTLP_REPEATED, NULL, 0 }
#define ENUM(number, name, highest) \
  { number, name, OTLP_ENUM, 0, NULL, highest }
#define ID(number, name, bytes) \
  { number, name, OTLP_ID, 0, NULL, bytes }
#define MUST_ID(number, name, bytes) \
  { number, name, OTLP_ID, OTLP_REQUIRED, NULL, bytes }
#define SUB(number, name, message) \
  { number, name, OTLP_MESSAGE, 0, &message, 0 }
#define ANY_SUB(number, name, message) \
  { number, name, OTLP_MESSAGE, OTLP_ONE_OF, &message, 0 }
#define SUBS(number, name, message) \
  { number, name, OTLP_MESSAGE, OTLP_REPEATED, &message, 0 }
#define END \
  { 0, NULL, OTLP_STRING, 0, NULL, 0 }
#define MESSAGE(variable, name, ...) static const struct otlp_message variable = {name, (const struct otlp_field[]){__VA_ARGS__, END}}
#define REQUEST(variable, name, ...) const struct otlp_message variable = {name, (const struct otlp_field[]){__VA_ARGS__, END}}

/* common.proto, resource.proto; a value can hold values */
static const struct otlp_message any_value, key_value;
MESSAGE(array_value, "ArrayValue", SUBS(1, "values", any_value));
MESSAGE(key_value_list, "KeyValueList", SUBS(1, "values", key_value));
MESSAGE(any_value, "AnyValue", ANY(1, "stringValue", STRING), ANY(2, "boolValue", BOOL), ANY(3, "intValue", INT64),
        ANY(4, "doubleValue", DOUBLE), ANY_SUB(5, "arrayValue", array_value), ANY_SUB(6, "kvlistValue", key_value_list),
        ANY(7, "bytesValue", BYTES));
MESSAGE(key_value, "KeyValue", MUST(1, "key", STRING), SUB(2, "value", any_value));
MESSAGE(entity_ref, "EntityRef", ONE(1, "schemaUrl", STRING), MUST(2, "type", STRING), MANY(3, "idKeys", STRING),
        MANY(4, "descriptionKeys", STRING));
MESSAGE(scope, "InstrumentationScope", ONE(1, "name", STRING), ONE(2, "version", STRING), SUBS(3, "attributes", key_value),
        ONE(4, "droppedAttributesCount", UINT32));
MESSAGE(resource, "Resource", SUBS(1, "attributes", key_value), ONE(2, "droppedAttributesCount", UINT32),
        SUBS(3, "entityRefs", entity_ref));

/* trace.proto */
MESSAGE(span_event, "Event", ONE(1, "timeUnixNano", FIXED64), MUST(2, "name", STRING), SUBS(3, "attributes", key_value),
        ONE(4, "droppedAttributesCount", UINT32));
MESSAGE(span_link, "Link", MUST_ID(1, "traceId", 16), MUST_ID(2, "spanId", 8), ONE(3, "traceState", STRING),
        SUBS(4, "attributes", key_value), ONE(5, "droppedAttributesCount", UINT32), ONE(6, "flags", FIXED32));
MESSAGE(span_status, "Status", ONE(2, "message", STRING), ENUM(3, "code", 2));
MESSAGE(span, "Span", MUST_ID(1, "traceId", 16), MUST_ID(2, "spanId", 8), ONE(3, "traceState", STRING), ID(4, "parentSpanId", 8),
        MUST(5, "name", STRING), ENUM(6, "kind", 5), MUST(7, "startTimeUnixNano", FIXED64), MUST(8, "endTimeUnixNano", FIXED64),
        SUBS(9, "attributes", key_value), ONE(10, "droppedAttributesCount", UINT32), SUBS(11, "events", span_event),
        ONE(12, "droppedEventsCount", UINT32), SUBS(13, "links", span_link), ONE(14, "droppedLinksCount", UINT32),
        SUB(15, "status", span_status), ONE(16, "flags", FIXED32));
MESSAGE(scope_spans, "ScopeSpans", SUB(1, "scope", scope), SUBS(2, "spans", span), ONE(3, "schemaUrl", STRING));
MESSAGE(resource_spans, "ResourceSpans", SUB(1, "resource", resource), SUBS(2, "scopeSpans", scope_spans), ONE(3, "schemaUrl", STRING));
REQUEST(otlp_traces_request, "ExportTraceServiceRequest", SUBS(1, "resourceSpans", resource_spans));

/* metrics.proto */
MESSAGE(exemplar, "Exemplar", ONE(2, "timeUnixNano", FIXED64), ANY(3, "asDouble", DOUBLE), ID(4, "spanId", 8), ID(5, "traceId", 16),
        ANY(6, "asInt", SFIXED64), SUBS(7, "filteredAttributes", key_value));
MESSAGE(number_point, "NumberDataPoint", ONE(2, "startTimeUnixNano", FIXED64), MUST(3, "timeUnixNano", FIXED64), ANY(4, "asDouble", DOUBLE),
        SUBS(5, "exemplars", exemplar), ANY(6, "asInt", SFIXED64), SUBS(7, "attributes", key_value), ONE(8, "flags", UINT32));
MESSAGE(histogram_point, "HistogramDataPoint", ONE(2, "startTimeUnixNano", FIXED64), MUST(3, "timeUnixNano", FIXED64),
        ONE(4, "count", FIXED64), ONE(5, "sum", DOUBLE), MANY(6, "bucketCounts", FIXED64), MANY(7, "explicitBounds", DOUBLE),
        SUBS(8, "exemplars", exemplar), SUBS(9, "attributes", key_value), ONE(10, "flags", UINT32), ONE(11, "min", DOUBLE),
        ONE(12, "max", DOUBLE));
MESSAGE(buckets, "Buckets", ONE(1, "offset", SINT32), MANY(2, "bucketCounts", UINT64));
MESSAGE(exponential_point, "ExponentialHistogramDataPoint", SUBS(1, "attributes", key_value), ONE(2, "startTimeUnixNano", FIXED64),
        MUST(3, "timeUnixNano", FIXED64), ONE(4, "count", FIXED64), ONE(5, "sum", DOUBLE), ONE(6, "scale", SINT32),
        ONE(7, "zeroCount", FIXED64), SUB(8, "positive", buckets), SUB(9, "negative", buckets), ONE(10, "flags", UINT32),
        SUBS(11, "exemplars", exemplar), ONE(12, "min", DOUBLE), ONE(13, "max", DOUBLE), ONE(14, "zeroThreshold", DOUBLE));
MESSAGE(quantile, "ValueAtQuantile", ONE(1, "quantile", DOUBLE), ONE(2, "value", DOUBLE));
MESSAGE(summary_point, "SummaryDataPoint", ONE(2, "startTimeUnixNano", FIXED64), MUST(3, "timeUnixNano", FIXED64), ONE(4, "count", FIXED64),
        ONE(5, "sum", DOUBLE), SUBS(6, "quantileValues", quantile), SUBS(7, "attributes", key_value), ONE(8, "flags", UINT32));
MESSAGE(gauge, "Gauge", SUBS(1, "dataPoints", number_point));
MESSAGE(sum, "Sum", SUBS(1, "dataPoints", number_point), ENUM(2, "aggregationTemporality", 2), ONE(3, "isMonotonic", BOOL));
MESSAGE(histogram, "Histogram", SUBS(1, "dataPoints", histogram_point), ENUM(2, "aggregationTemporality", 2));
MESSAGE(exponential, "ExponentialHistogram", SUBS(1, "dataPoints", exponential_point), ENUM(2, "aggregationTemporality", 2));
MESSAGE(summary, "Summary", SUBS(1, "dataPoints", summary_point));
MESSAGE(metric, "Metric", MUST(1, "name", STRING), ONE(2, "description", STRING), ONE(3, "unit", STRING), ANY_SUB(5, "gauge", gauge),
        ANY_SUB(7, "sum", sum), ANY_SUB(9, "histogram", histogram), ANY_SUB(10, "exponentialHistogram", exponential),
        ANY_SUB(11, "summary", summary), SUBS(12, "metadata", key_value));
MESSAGE(scope_metrics, "ScopeMetrics", SUB(1, "scope", scope), SUBS(2, "metrics", metric), ONE(3, "schemaUrl", STRING));
MESSAGE(resource_metrics, "ResourceMetrics", SUB(1, "resource", resource), SUBS(2, "scopeMetrics", scope_metrics),
        ONE(3, "schemaUrl", STRING));
REQUEST(otlp_metrics_request, "ExportMetricsServiceRequest", SUBS(1, "resourceMetrics", resource_metrics));

/* logs.proto */
MESSAGE(log_record, "LogRecord", ONE(1, "timeUnixNano", FIXED64), ENUM(2, "severityNumber", 24), ONE(3, "severityText", STRING),
        SUB(5, "body", any_value), SUBS(6, "attributes", key_value), ONE(7, "droppedAttributesCount", UINT32), ONE(8, "flags", FIXED32),
        ID(9, "traceId", 16), ID(10, "spanId", 8), ONE(11, "observedTimeUnixNano", FIXED64), ONE(12, "eventName", STRING));
MESSAGE(scope_logs, "ScopeLogs", SUB(1, "scope", scope), SUBS(2, "logRecords", log_record), ONE(3, "schemaUrl", STRING));
MESSAGE(resource_logs, "ResourceLogs", SUB(1, "resource", resource), SUBS(2, "scopeLogs", scope_logs), ONE(3, "schemaUrl", STRING));
REQUEST(otlp_logs_request, "ExportLogsServiceRequest", SUBS(1, "resourceLogs", resource_logs));
