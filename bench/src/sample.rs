//! What one measurement of some seconds found, and what several of them say together.

use serde::Serialize;

/// One measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Operations that were carried out.
    pub(crate) count: u64,
    pub(crate) seconds: f64,
    /// Processor time of the server, where it was one.
    pub(crate) server_seconds: f64,
    /// Time from each request to the end of its answer, in nanoseconds, in no order.
    pub(crate) latencies: Vec<u64>,
}

/// Medians over several measurements, and percentiles of all their latencies.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    /// Operations a second.
    pub(crate) rate: f64,
    /// Operations a second of the server's processor time; 0 where there is no server.
    pub(crate) rate_of_core: f64,
    /// Latencies in milliseconds.
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub(crate) max: f64,
    /// Those of each measurement by itself, in the order of the rounds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rounds: Vec<Figures>,
}

impl Figures {
    pub(crate) fn of(samples: &[Sample]) -> Self {
        let rounds = samples.chunks(1).map(Self::together);
        Self {
            rounds: rounds.collect(),
            ..Self::together(samples)
        }
    }

    fn together(samples: &[Sample]) -> Self {
        let rates = samples
            .iter()
            .map(|sample| sample.count as f64 / sample.seconds);
        let rates_of_core = samples.iter().map(|sample| {
            if sample.server_seconds > 0.0 {
                sample.count as f64 / sample.server_seconds
            } else {
                0.0
            }
        });
        let (rate, rate_of_core) = (median(rates), median(rates_of_core));
        let latencies = samples.iter().map(|sample| sample.latencies.as_slice());
        let mut latencies = latencies.collect::<Vec<_>>().concat();
        latencies.sort_unstable();
        let at = |share: f64| {
            let last = latencies.len().saturating_sub(1);
            let index = (last as f64 * share).round();
            // The share is at most 1, so that the index is in the list.
            latencies
                .get(index as usize)
                .map_or(0.0, |nanoseconds| *nanoseconds as f64 / 1e6)
        };
        Self {
            rate,
            rate_of_core,
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: at(1.0),
            rounds: Vec::new(),
        }
    }
}

/// The middle one; of an even number, the upper of the two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
