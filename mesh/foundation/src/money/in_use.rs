//! Which currencies are money today.

/// The currencies that people pay with, by ISO 4217's list one of 2026-01-01 (SIX, the standard's maintenance agency), without:
/// - what is counted in and never paid with: funds (BOV, CHE, CHW, CLF, COU, MXV, USN, UYI, UYW), metals (XAG, XAU, XPD, XPT), units
///   of banks and bonds (XAD, XBA, XBB, XBC, XBD, XDR, XSU, XUA), and the codes for tests and for no currency (XTS, XXX);
/// - SVC: El Salvador has paid in USD since 2001, and the colón no longer goes round;
/// - VED: the agency gave it out in 2021 for what banks needed while zeros were cut off; VES remains the code of the bolívar.
///
/// Not on that list any more, among others: HRK (EUR since 2023), BGN (EUR since 2026), ANG (XCG since 2025), CUC (CUP since 2021),
/// SLL (SLE since 2022), ZWL (ZWG since 2024).
#[rustfmt::skip]
const IN_USE: [&str; 153] = [
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BHD", "BIF", "BMD", "BND", "BOB", "BRL",
    "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP",
    "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG",
    "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD",
    "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK",
    "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR",
    "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SYP", "SZL",
    "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VES", "VND", "VUV", "WST",
    "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWG",
];

/// Whether people pay in the currency of this code today.
pub(super) fn is_in_use(code: &str) -> bool {
    IN_USE.binary_search(&code).is_ok()
}

#[cfg(test)]
mod tests {
    use iso_currency::{Currency, Flag};

    use super::*;

    #[test]
    fn every_currency_in_use_is_one_that_can_be_counted_in() {
        assert!(IN_USE.is_sorted());
        for code in IN_USE {
            let currency = Currency::from_code(code).unwrap_or_else(|| panic!("{code} is unknown"));
            assert!(currency.exponent().is_some(), "{code} has no minor unit");
            assert!(!currency.has_flag(Flag::Fund) && !currency.has_flag(Flag::Special), "{code} is no money");
        }
    }

    #[test]
    fn what_is_not_in_use_is_told_apart_by_hand() {
        let letters = || ('A'..='Z').map(String::from);
        let codes = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
        let codes = codes.flat_map(|ab| letters().map(move |c| format!("{ab}{c}")));
        let refused: Vec<_> = codes.filter(|code| Currency::from_code(code).is_some() && !is_in_use(code)).collect();
        let expected = [
            "BGN", "BOV", "CHE", "CHW", "CLF", "COU", "CUC", "HRK", "MXV", "SLL", "SVC", "USN", "UYI", "UYW", "VED",
            "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX", "ZWL",
        ];
        assert_eq!(refused, expected);
    }
}
